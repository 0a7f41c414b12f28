"""Messages and values as they are recorded on spans, if the user wants that: JSON of the GenAI conventions."""

from __future__ import annotations

import json
from typing import Dict, List, Optional, Sequence

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

Item = Dict[str, object]

_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool"}
_KINDS = ("human", "ai", "system", "tool", "function")


def as_json(value: object) -> str:
    """Return a value as JSON; what has no form in it, as its text."""
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def as_messages(messages: Sequence[BaseMessage], finish_reason: Optional[str] = None) -> str:
    """Return messages as JSON.

    Args:
        messages: The messages.
        finish_reason: Why a model has ended its answer, which these are.
    """
    return as_json([_message(message, finish_reason) for message in messages])


def _message(message: BaseMessage, finish_reason: Optional[str]) -> Item:
    kind = next((kind for kind in _KINDS if message.type.lower().startswith(kind)), message.type)
    parts: List[Item]
    if isinstance(message, ToolMessage):
        parts = [{"type": "tool_call_response", "id": message.tool_call_id, "result": message.content}]
    else:
        parts = _parts(message.content)
    if isinstance(message, AIMessage):
        parts += [
            {"type": "tool_call", "id": call.get("id"), "name": call["name"], "arguments": call["args"]}
            for call in message.tool_calls
        ]
    made: Item = {"role": _ROLES.get(kind, kind), "parts": parts}
    if finish_reason is not None:
        made["finish_reason"] = finish_reason
    return made


def _parts(content: object) -> List[Item]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    blocks = content if isinstance(content, list) else [content]
    return [part for part in map(_part, blocks) if part is not None]


def _part(block: object) -> Optional[Item]:
    """Return a block of a message's content; of images and the like only the kind, of calls of tools nothing."""
    if not isinstance(block, dict):
        return {"type": "text", "content": str(block)}
    kind = str(block.get("type", "text"))
    if kind in ("tool_use", "tool_call", "tool_call_chunk", "function_call", "input_json_delta"):
        return None  # these are among the message's `tool_calls`
    if kind == "text":
        return {"type": "text", "content": block.get("text", "")}
    if kind in ("reasoning", "thinking"):
        return {"type": "reasoning", "content": block.get(kind, "")}
    return {"type": kind}
