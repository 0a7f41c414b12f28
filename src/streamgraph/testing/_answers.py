"""Answers of a scripted model, and the chunks that they are streamed in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence, Union

from langchain_core.messages import AIMessage, AIMessageChunk, ToolCallChunk

from streamgraph.testing._gate import Gate

__all__ = ["Answer", "ScriptItem", "Tokens"]

Tokens = Union[str, AIMessage, Sequence[Union[str, AIMessageChunk]]]
"""Content of an answer: a text, a message, or its tokens."""

_ARGUMENT_PIECE = 8
"""Number of characters of a tool call's arguments per chunk."""


@dataclass(frozen=True)
class Answer:
    """One answer of a script, with all options.

    Args:
        tokens: The model's output. A text is split before each space. A message is streamed in pieces too: its text,
            then its tool calls as `tool_call_chunks`, then its `usage_metadata` with the last chunk. A sequence of
            strings and chunks is streamed unchanged.
        error: The exception to raise after the tokens; without tokens it is raised immediately.
        delay: Seconds to wait before each token; by default the model's delay.
        gate: The gate to wait at before each token, and before the error; by default the model's gate.
    """

    tokens: Tokens = ()
    error: Optional[BaseException] = None
    delay: Optional[float] = None
    gate: Optional[Gate] = None

    def chunks(self) -> List[AIMessageChunk]:
        """Return the chunks to stream, as new objects: at least one, unless there is an error to raise."""
        tokens = self.tokens
        if isinstance(tokens, AIMessageChunk):
            made = [tokens.model_copy()]
        elif isinstance(tokens, AIMessage):
            made = list(_chunks_of(tokens))
        else:
            pieces = _split(tokens) if isinstance(tokens, str) else tokens
            made = [AIMessageChunk(content=piece) if isinstance(piece, str) else piece.model_copy() for piece in pieces]
        return made or ([] if self.error is not None else [AIMessageChunk(content="")])

    def message(self) -> AIMessage:
        """Return the whole message, as a new object, for a model call that is not streamed."""
        if isinstance(self.tokens, AIMessage) and not isinstance(self.tokens, AIMessageChunk):
            return self.tokens.model_copy()
        first, *rest = self.chunks()
        total: Any = first
        for chunk in rest:
            total = total + chunk
        fields: Dict[str, Any] = {
            name: getattr(total, name)
            for name in ("content", "additional_kwargs", "response_metadata", "name", "id", "usage_metadata")
        }
        return AIMessage(**fields, tool_calls=total.tool_calls, invalid_tool_calls=total.invalid_tool_calls)


ScriptItem = Union[Answer, Tokens, BaseException]
"""An item of a script."""


def as_answer(item: object, place: int) -> Answer:
    """Convert an item of a script to an answer.

    Args:
        item: The item.
        place: The position in the script, from 1, for the error message.

    Raises:
        TypeError: The item cannot be converted.
    """
    if isinstance(item, Answer):
        return item
    if isinstance(item, BaseException):
        return Answer(error=item)
    if isinstance(item, (str, AIMessage)):
        return Answer(item)
    if isinstance(item, (list, tuple)) and all(isinstance(token, (str, AIMessageChunk)) for token in item):
        return Answer(tuple(item))
    raise TypeError(
        f"Answer {place} of a script is {item!r:.100}, of which no answer can be made. Give a string, an AIMessage,"
        " a list of strings or AIMessageChunks, an exception, or an Answer."
    )


def _split(text: str) -> List[str]:
    return re.findall(r"\s*\S+|\s+", text)


def _chunks_of(message: AIMessage) -> Iterator[AIMessageChunk]:
    given: Dict[str, Any] = {"id": message.id, "name": message.name}
    content = message.content
    if isinstance(content, str):
        for token in _split(content):
            yield AIMessageChunk(content=token, **given)
    else:
        for block in content:
            yield AIMessageChunk(content=[block], **given)
    empty: Union[str, List[Union[str, Dict[str, object]]]] = "" if isinstance(content, str) else []
    for index, call in enumerate(message.tool_calls):
        for chunk in _call_chunks(call["name"], json.dumps(call["args"]), call["id"], index):
            yield AIMessageChunk(content=empty, tool_call_chunks=[chunk], **given)
    for index, invalid in enumerate(message.invalid_tool_calls, len(message.tool_calls)):
        for chunk in _call_chunks(invalid["name"], invalid["args"] or "", invalid["id"], index):
            yield AIMessageChunk(content=empty, tool_call_chunks=[chunk], **given)
    rest: Dict[str, Any] = {
        "additional_kwargs": {
            # Tool calls in the old form are not copied; they are derived from the chunks where they are needed.
            key: value
            for key, value in message.additional_kwargs.items()
            if key != "tool_calls"
        },
        "response_metadata": message.response_metadata,
        "usage_metadata": message.usage_metadata,
    }
    if any(rest.values()):
        if (
            "chunk_position" in AIMessageChunk.model_fields
        ):  # langchain-core adds an empty chunk if there is no last one
            rest["chunk_position"] = "last"
        yield AIMessageChunk(content=empty, **rest, **given)


def _call_chunks(name: Optional[str], args: str, call_id: Optional[str], index: int) -> Iterator[ToolCallChunk]:
    yield ToolCallChunk(name=name, args="", id=call_id, index=index, type="tool_call_chunk")
    for start in range(0, len(args), _ARGUMENT_PIECE):
        piece = args[start : start + _ARGUMENT_PIECE]
        yield ToolCallChunk(name=None, args=piece, id=None, index=index, type="tool_call_chunk")
