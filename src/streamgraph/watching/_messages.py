"""What a view needs of a message, be it an object of langchain-core or its JSON."""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from langchain_core.messages import BaseMessage


class MessageFacts(NamedTuple):
    """What a view needs of a message or a chunk of one.

    Attributes:
        id: The id of the message; `None` if it has none.
        role: `"ai"`, `"human"`, `"tool"`, `"system"`, …
        text: The text of it, or of this chunk.
        calls: Of its tool calls, or of the pieces of them in this chunk, the name and the arguments as text.
        is_chunk: More chunks may follow.
        is_last: It is over with this chunk.
        is_removed: What was shown under the id is taken back.
    """

    id: Optional[str]
    role: str
    text: str
    calls: Sequence[Tuple[str, str]]
    is_chunk: bool
    is_last: bool
    is_removed: bool


def content_text(content: object) -> str:
    """Return the text in the content of a message, whose blocks may be texts or other things."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    found: List[str] = []
    for block in content:
        text = block.get("text") if isinstance(block, Mapping) else block
        if isinstance(text, str):
            found.append(text)
    return "".join(found)


def facts_of_message(message: object) -> Optional[MessageFacts]:
    """Return the facts of a message or chunk, or `None` if it is neither.

    Args:
        message: A message of langchain-core, or the JSON object that stands for one.
    """
    fields: Mapping[str, Any]
    if isinstance(message, BaseMessage):
        kind, role, fields = type(message).__name__, message.type, vars(message)
    elif isinstance(message, Mapping) and "content" in message and isinstance(message.get("type"), str):
        kind, role, fields = str(message["type"]), str(message["type"]), message
    else:
        return None
    get = fields.get
    id_, content = get("id"), get("content")
    id_ = id_ if isinstance(id_, str) else None
    is_removed = kind in ("RemoveMessage", "remove")
    is_chunk = kind.endswith("Chunk")
    if is_chunk and role.endswith("MessageChunk"):
        role = role[: -len("MessageChunk")].lower()
    pieces = (get("tool_call_chunks") if is_chunk else get("tool_calls")) or ()
    calls = [(str(call.get("name") or ""), _argument_text(call.get("args"))) for call in pieces] if pieces else ()
    is_last = not is_chunk or get("chunk_position") == "last"
    return MessageFacts(id_, role, content_text(content), calls, is_chunk, is_last, is_removed)


def _argument_text(args: object) -> str:
    if isinstance(args, Mapping):
        return ", ".join(f"{key}={value!r}" for key, value in args.items())
    return args if isinstance(args, str) else ""
