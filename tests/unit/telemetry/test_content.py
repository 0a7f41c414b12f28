"""What is recorded of messages and values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, ChatMessage, FunctionMessage, HumanMessage, ToolMessage

from streamgraph._telemetry.content import as_json, as_messages


def test_texts_stay_texts_and_all_else_is_json() -> None:
    assert as_json("é {") == "é {"
    assert as_json({"é": [1, None]}) == '{"é": [1, null]}'
    assert json.loads(as_json({"what": object}))["what"].startswith("<class")


@pytest.mark.parametrize(
    ("message", "role", "parts"),
    [
        (HumanMessage("hi"), "user", [{"type": "text", "content": "hi"}]),
        (HumanMessage(""), "user", []),
        (AIMessageChunk("a"), "assistant", [{"type": "text", "content": "a"}]),
        (ChatMessage("x", role="critic"), "chat", [{"type": "text", "content": "x"}]),
        (FunctionMessage("1", name="f"), "tool", [{"type": "text", "content": "1"}]),
        (
            ToolMessage("3", tool_call_id="c1"),
            "tool",
            [{"type": "tool_call_response", "id": "c1", "result": "3"}],
        ),
        (
            HumanMessage(["a", {"type": "text", "text": "b"}, {"type": "image_url", "image_url": {"url": "data:xyz"}}]),
            "user",
            [{"type": "text", "content": "a"}, {"type": "text", "content": "b"}, {"type": "image_url"}],
        ),
        (
            AIMessage(
                [{"type": "thinking", "thinking": "hm"}, {"type": "tool_use", "id": "c1", "name": "f", "input": {}}],
                tool_calls=[{"name": "f", "args": {"n": 1}, "id": "c1"}],
            ),
            "assistant",
            [
                {"type": "reasoning", "content": "hm"},
                {"type": "tool_call", "id": "c1", "name": "f", "arguments": {"n": 1}},
            ],
        ),
    ],
)
def test_a_message_has_a_role_and_parts(message: Any, role: str, parts: Any) -> None:
    """Files are only mentioned, and a call of a tool is told once."""
    assert json.loads(as_messages([message])) == [{"role": role, "parts": parts}]
