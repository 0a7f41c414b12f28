"""The conversation of a request to the Responses API, in the form that chat completions have for it."""

from __future__ import annotations

from typing import List, Mapping, Optional

from streamgraph_integrations.openai_server._composer import content_text
from streamgraph_integrations.openai_server._json import Body, JsonObject

# Parts of a message which only go by another name.
_PARTS = {"input_text": "text", "output_text": "text"}


def conversation(body: Body) -> List[JsonObject]:
    """Read what was said from `instructions` and `input`.

    With this, one reply function and one way to count serve both APIs. Reasoning and the calls of OpenAI's own tools
    are left out, as chat completions have nothing of the kind.

    Args:
        body: The request body.

    Returns:
        The messages, oldest first.
    """
    messages: List[JsonObject] = []
    if isinstance(body.get("instructions"), str):
        messages.append({"role": "system", "content": body["instructions"]})
    given = body["input"]
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        if isinstance(item, dict):
            _add(messages, item)
    return messages


def _add(messages: List[JsonObject], item: Mapping[str, object]) -> None:
    kind = item.get("type", "message")
    if kind == "message":
        messages.append({"role": item.get("role"), "content": _content(item)})
    elif kind == "function_call_output":
        messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")})
    elif kind == "function_call":
        # Here each call is an item of its own; there they are fields of the message in which they are made.
        if not messages or messages[-1]["role"] != "assistant":
            messages.append({"role": "assistant", "content": None})
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        calls = messages[-1].setdefault("tool_calls", [])
        assert isinstance(calls, list)
        calls.append(call)


def _content(item: Mapping[str, object]) -> object:
    content = item.get("content")
    if not isinstance(content, list):
        return content
    if item.get("role") == "assistant":
        return content_text(content)
    return [{**part, "type": _part_type(part)} if isinstance(part, dict) else part for part in content]


def _part_type(part: JsonObject) -> Optional[str]:
    kind = part.get("type")
    return _PARTS.get(kind, kind) if isinstance(kind, str) else None
