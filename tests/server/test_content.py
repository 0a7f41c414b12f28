"""What the content of messages says, in the forms of langchain-core, OpenAI and Anthropic."""

from __future__ import annotations

from typing import Any, List

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk

from streamgraph_server.content import (
    CallPiece,
    ContentFold,
    FilePiece,
    Piece,
    ReasoningPiece,
    ResultPiece,
    SourcePiece,
    TextPiece,
)

URL, GIF, BYTES = "https://ice", "data:image/gif;base64,aa", "application/octet-stream"


def pieces(*contents: Any) -> List[Piece]:
    """What a message says that comes in chunks with these contents."""
    fold = ContentFold()
    found = [piece for content in contents for piece in fold.of(AIMessageChunk(content))]
    return [*found, *fold.end()]


@pytest.mark.parametrize(
    ("block", "piece"),
    [
        ({"type": "text", "text": "a"}, TextPiece("a")),
        ({"type": "thinking", "thinking": "hm"}, ReasoningPiece("hm")),
        ({"type": "reasoning", "reasoning": "hm"}, ReasoningPiece("hm")),
        ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, ReasoningPiece("hm")),
        ({"type": "image", "url": f"{URL}/a.jpg"}, FilePiece(f"{URL}/a.jpg", "image/jpeg")),
        ({"type": "image_url", "image_url": {"url": GIF}}, FilePiece(GIF, "image/gif")),
        ({"type": "image_url", "image_url": URL}, FilePiece(URL, "image/png")),
        ({"type": "audio", "data": "aa", "mime_type": "audio/mp3"}, FilePiece("data:audio/mp3;base64,aa", "audio/mp3")),
        ({"type": "file", "base64": "aa"}, FilePiece(f"data:{BYTES};base64,aa", BYTES)),
    ],
)  # fmt: skip
def test_blocks(block: Any, piece: Piece) -> None:
    assert pieces([block]) == [piece]


def test_texts_and_what_says_nothing() -> None:
    assert pieces("", "a", ["b", {"type": "text", "text": ""}]) == [TextPiece("a"), TextPiece("b")]
    silent: Any = [{}, {"type": "tool_use", "id": "c"}, {"type": "tool_call", "id": "c"}, {"type": "file"}, {"type": 3}]
    assert pieces(silent) == []
    hidden = AIMessage("", additional_kwargs={"reasoning_content": "hm"})
    assert list(ContentFold().of(hidden)) == [ReasoningPiece("hm")]


def test_tools_of_a_provider() -> None:
    found = [{"url": URL}]
    call, result = CallPiece("s1", "web_search", '{"query": "ice"}'), ResultPiece("s1", found, False)
    anthropic: Any = (
        [{"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}, "index": 1}],
        [{"type": "input_json_delta", "partial_json": '{"query": ', "index": 1}],
        [{"type": "input_json_delta", "partial_json": "for another call", "index": 9}],
        [{"type": "input_json_delta", "partial_json": '"ice"}', "index": 1}],
        [{"type": "web_search_tool_result", "tool_use_id": "s1", "content": found, "index": 2}],
    )
    assert pieces(*anthropic) == [call, result]
    standard: Any = (
        [{"type": "server_tool_call_chunk", "id": "s1", "name": "web_search", "args": '{"query": ', "index": 0}],
        [{"type": "server_tool_call_chunk", "args": '"ice"}', "index": 0}],
        [{"type": "server_tool_result", "tool_call_id": "s1", "output": found, "status": "success"}],
    )
    assert pieces(*standard) == [call, result]
    whole: Any = [{"type": "server_tool_call", "id": "s1", "name": "web_search", "args": {"query": "ice"}}]
    assert pieces(whole) == [call]  # its result has not come
    openai: Any = [
        {"type": "web_search_call", "id": "s1", "status": "completed", "action": {"query": "ice"}, "index": 0}
    ]
    assert pieces(openai) == [
        CallPiece("s1", "web_search", '{"action": {"query": "ice"}}'), ResultPiece("s1", "completed", False),
    ]  # fmt: skip
    failed: Any = [
        {"type": "code_execution_tool_result", "tool_use_id": "s1", "content": {"error_code": "unavailable"}}
    ]
    assert pieces(failed) == [ResultPiece("s1", {"error_code": "unavailable"}, True)]


def test_what_a_text_quotes_is_told_once() -> None:
    quoted = {"type": "url_citation", "url": URL, "title": "Ice"}
    document = {"type": "char_location", "document_title": "A paper", "cited_text": "x"}
    chunks: Any = (
        [{"type": "text", "text": "Ice", "annotations": [quoted, "nothing", {}]}],
        [{"type": "text", "text": "", "citations": [quoted, document]}],
    )
    assert pieces(*chunks) == [TextPiece("Ice"), SourcePiece(URL, "Ice"), SourcePiece("", "A paper")]
