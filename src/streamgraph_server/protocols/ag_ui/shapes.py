"""Messages as AG-UI sends them, and what they are in LangChain."""

from __future__ import annotations

from typing import Dict, List, Sequence, Union

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from streamgraph.serialization import to_json
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields, object_in, read_messages, text_in
from streamgraph_server.messages import Call

_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
_SKIPPED = ("reasoning", "activity")
"""Roles of messages that only the screen shows."""
_MEDIA = {"image": "image", "audio": "audio", "video": "video", "document": "file"}


def message_shape(message: BaseMessage) -> Fields:
    """Return a message as AG-UI knows it; it has no field for what it does not say."""
    content = message.content if isinstance(message.content, str) else message.text
    shape: Fields = {"id": message.id, "role": _ROLES.get(message.type, "assistant"), "content": _called(content)}
    if isinstance(message, AIMessage) and message.tool_calls:
        made = [Call(call["id"] or "", call["name"], call["args"], "") for call in message.tool_calls]
        shape = with_calls(shape, made)
    if isinstance(message, ToolMessage):
        shape["toolCallId"] = message.tool_call_id
    return shape


def with_calls(shape: Fields, calls: Sequence[Call]) -> Fields:
    """Return the shape of a message with further tool calls in it."""
    known = shape.get("toolCalls")
    shapes = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": to_json(call.args or {}).decode()},
        }
        for call in calls
    ]
    return {**shape, "toolCalls": [*(known if isinstance(known, list) else ()), *shapes]}


def _called(text: object) -> str:
    # `text` of a message is a method before langchain-core 1, and a text that can be called after it.
    return str(text() if callable(text) and not isinstance(text, str) else text)


def read_conversation(given: object) -> List[BaseMessage]:
    """Return the messages of a client as messages of LangChain.

    Raises:
        HTTPException: They are none.
    """
    if not isinstance(given, list) or not all(isinstance(message, dict) for message in given):
        raise refusal(422, "messages must be a list of messages.")
    found: List[BaseMessage] = []
    for message in given:
        role, id = text_in(message, "role"), text_in(message, "id") or None
        content = message.get("content") or ""
        if role in _SKIPPED:
            continue
        if role == "tool":
            call = text_in(message, "toolCallId")
            found.append(ToolMessage(str(content), tool_call_id=call, id=id))
        elif role in ("system", "developer"):
            found.append(SystemMessage(str(content), id=id))
        elif role == "user":
            found.append(HumanMessage(_content(content), id=id))
        elif role == "assistant":
            plain = {"role": "assistant", "content": str(content), "tool_calls": message.get("toolCalls") or []}
            made = read_messages([plain])[0]
            made.id = id
            found.append(made)
        else:
            raise refusal(422, f"There is no role {role[:80]!r} of messages.")
    return found


def _content(content: object) -> Union[str, List[Union[str, Dict[str, object]]]]:
    """Return what a user says: a text, or blocks if there are files."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise refusal(422, "content must be a text or a list of parts.")
    blocks: List[Union[str, Dict[str, object]]] = [_block(part) for part in content]
    if all(isinstance(block, dict) and block["type"] == "text" for block in blocks):
        return "".join(str(block["text"]) for block in blocks if isinstance(block, dict))
    return blocks


def _block(part: Fields) -> Fields:
    kind = text_in(part, "type")
    if kind == "text":
        return {"type": "text", "text": text_in(part, "text")}
    if kind not in _MEDIA:
        raise refusal(422, f"There is no part {kind[:80]!r} of messages.")
    source = object_in(part, "source")
    value, media_type = text_in(source, "value"), text_in(source, "mimeType")
    if source.get("type") == "url":
        block: Fields = {"type": _MEDIA[kind], "source_type": "url", "url": value}
    elif source.get("type") == "data":
        block = {"type": _MEDIA[kind], "source_type": "base64", "data": value}
    else:
        raise refusal(422, "The source of a part must be of type url or data.")
    return {**block, "mime_type": media_type} if media_type else block
