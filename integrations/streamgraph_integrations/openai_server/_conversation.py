"""Convert the conversation of a Responses API request to the format of chat completions."""

from __future__ import annotations

from typing import List, Mapping, Optional

from streamgraph_integrations.openai_server._composer import content_text
from streamgraph_integrations.openai_server._json import Body, JsonObject

# Types of message parts that have another name in chat completions.
_PARTS = {"input_text": "text", "output_text": "text"}


def conversation(body: Body) -> List[JsonObject]:
    """Convert `instructions` and `input` to messages.

    With this, one reply function and one way to count tokens serve both APIs. Reasoning and calls of OpenAI's built-in
    tools are omitted, because chat completions have no equivalent.

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
        # In the Responses API each call is a separate item; in chat completions it is a field of the message.
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
