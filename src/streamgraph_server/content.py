"""What the content of a model's message says, wherever its provider has put it.

Text, reasoning, the calls of tools that the provider runs itself, what was quoted, and files: each in the form that
langchain-core 1 has for all providers, and in those of OpenAI and Anthropic, which chunks have without it.
"""

from __future__ import annotations

import json
import mimetypes
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple, Union

from langchain_core.messages import AIMessage


class TextPiece(NamedTuple):
    """More text."""

    text: str


class ReasoningPiece(NamedTuple):
    """More reasoning."""

    text: str


class CallPiece(NamedTuple):
    """The whole call of a tool that the provider runs; `args` are JSON."""

    id: str
    name: str
    args: str


class ResultPiece(NamedTuple):
    """What such a tool has found."""

    call: str
    content: object
    failed: bool


class SourcePiece(NamedTuple):
    """What a text quotes; `url` is empty if it is a document."""

    url: str
    title: str


class FilePiece(NamedTuple):
    """A file that a model has made; `url` may hold it, as `data:`."""

    url: str
    media_type: str


Piece = Union[TextPiece, ReasoningPiece, CallPiece, ResultPiece, SourcePiece, FilePiece]
_Block = Mapping[str, object]

_TEXTS = ("text", "output_text", "text_delta")
_FILES = ("image", "audio", "video", "file", "image_url")
_ANSWERS = ("output", "outputs", "results", "result")


class ContentFold:
    """Reads the content of one message, whose blocks may come in pieces."""

    def __init__(self) -> None:
        self._calls: Dict[object, Tuple[str, str, List[str]]] = {}
        self._sources: Set[Tuple[str, str]] = set()

    def of(self, message: AIMessage) -> Iterator[Piece]:
        """Yield what a message or the next chunk of it says."""
        hidden = message.additional_kwargs.get("reasoning_content")
        if isinstance(hidden, str) and hidden:
            yield ReasoningPiece(hidden)
        content = message.content
        if isinstance(content, str):
            if content:
                yield TextPiece(content)
            return
        for block in content:
            if not isinstance(block, str):
                yield from self._block(block)
            elif block:
                yield TextPiece(block)

    def end(self) -> Iterator[Piece]:
        """Yield the calls whose results have not come."""
        for index in list(self._calls):
            yield self._whole(index)

    def _block(self, block: _Block) -> Iterator[Piece]:
        kind = str(block.get("type"))
        reasoning = _reasoning_in(block)
        if reasoning:
            yield ReasoningPiece(reasoning)
        elif kind in _TEXTS:
            text = block.get("text")
            if isinstance(text, str) and text:
                yield TextPiece(text)
            yield from self._quoted(block)
        elif kind in _FILES:
            file = _file_in(block, kind)
            if file is not None:
                yield file
        elif kind in ("server_tool_use", "server_tool_call", "server_tool_call_chunk"):
            self._opened(block)
        elif kind == "input_json_delta":
            found = self._calls.get(block.get("index"))
            if found is not None:
                found[2].append(str(block.get("partial_json") or ""))
        elif kind.endswith("_tool_result"):
            yield from self._result(block)
        elif kind.endswith("_call") and kind not in ("tool_call", "function_call") and block.get("id"):
            yield from _of_openai(block, kind)

    def _opened(self, block: _Block) -> None:
        index = block.get("index", block.get("id"))
        known = self._calls.get(index)
        if known is None:
            known = self._calls[index] = (str(block.get("id") or index), str(block.get("name") or ""), [])
        given = block.get("input", block.get("args"))
        if given:
            known[2].append(given if isinstance(given, str) else json.dumps(given))

    def _result(self, block: _Block) -> Iterator[Piece]:
        call = str(block.get("tool_use_id") or block.get("tool_call_id") or "")
        for index in [index for index, found in self._calls.items() if found[0] == call]:
            yield self._whole(index)
        content = block.get("content", block.get("output"))
        failed = block.get("status") == "error" or (isinstance(content, dict) and "error_code" in content)
        yield ResultPiece(call, content, failed)

    def _whole(self, index: object) -> CallPiece:
        id, name, args = self._calls.pop(index)
        return CallPiece(id, name, "".join(args) or "{}")

    def _quoted(self, block: _Block) -> Iterator[Piece]:
        for key in ("annotations", "citations"):
            found = block.get(key)
            for quoted in found if isinstance(found, list) else ():
                if not isinstance(quoted, dict):
                    continue
                url, title = (str(quoted.get(name) or "") for name in ("url", "title"))
                source = SourcePiece(url, title or str(quoted.get("document_title") or ""))
                if source not in self._sources and any(source):
                    self._sources.add(source)
                    yield source


def _reasoning_in(block: _Block) -> str:
    for key in ("thinking", "reasoning", "reasoning_content"):
        found = block.get(key)
        if isinstance(found, str):
            return found
    summary = block.get("summary")
    if block.get("type") != "reasoning" or not isinstance(summary, list):
        return ""
    return "".join(str(item.get("text", "")) for item in summary if isinstance(item, dict))


def _file_in(block: _Block, kind: str) -> Optional[FilePiece]:
    url = block.get("url")
    inner = block.get("image_url")
    if inner is not None:
        url = inner.get("url") if isinstance(inner, dict) else inner
    given = block.get("mime_type") or block.get("media_type")
    data = block.get("base64") or block.get("data")
    if isinstance(url, str) and url:
        by_name = url[len("data:") :].partition(";")[0] if url.startswith("data:") else mimetypes.guess_type(url)[0]
        return FilePiece(url, str(given or by_name or _media_type(kind)))
    if isinstance(data, str) and data:
        media_type = str(given or _media_type(kind))
        return FilePiece(f"data:{media_type};base64,{data}", media_type)
    return None


def _media_type(kind: str) -> str:
    known = {"image": "image/png", "image_url": "image/png", "audio": "audio/wav", "video": "video/mp4"}
    return known.get(kind, "application/octet-stream")


def _of_openai(block: _Block, kind: str) -> Iterator[Piece]:
    """Yield a call that OpenAI tells of when it is over."""
    id, told = str(block["id"]), ("id", "type", "index", "status", "name", *_ANSWERS)
    args = {key: value for key, value in block.items() if key not in told and value is not None}
    yield CallPiece(id, str(block.get("name") or kind[: -len("_call")]), json.dumps(args, default=str))
    answer = next((block[key] for key in _ANSWERS if block.get(key) is not None), None)
    yield ResultPiece(id, block.get("status") if answer is None else answer, block.get("status") == "failed")
