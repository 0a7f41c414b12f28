"""Accumulate the chunks of a stream into messages, and its patches into the state."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any, Dict, Iterable, List, Mapping, Optional, Union

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    BaseMessageChunk,
    RemoveMessage,
    ToolCallChunk,
)
from typing_extensions import TypedDict

from streamgraph._messages.matching import text_of
from streamgraph._messages.partial_json import PartialJson
from streamgraph._state_accumulator import PatchError, StateAccumulator
from streamgraph._types import MessageMetadata
from streamgraph.constants import REMOVE_ALL_MESSAGES

__all__ = ["GrowingToolCall", "MessageAccumulator", "PatchError", "StateAccumulator"]


class GrowingToolCall(TypedDict):
    """A tool call whose arguments may still be incomplete.

    Attributes:
        name: The tool's name; `None` until it is known.
        args: The arguments received so far. Strings grow; numbers appear when they are complete.
        id: The id of the call; `None` if it has none or until it is known.
        index: The provider's index of the call within the message.
        complete: True if the arguments are complete.
    """

    name: Optional[str]
    args: Dict[str, Any]
    id: Optional[str]
    index: Union[int, str, None]
    complete: bool


class _Arguments:
    """Accumulates the argument deltas of one tool call."""

    def __init__(self, index: Union[int, str, None]) -> None:
        self._index = index
        self._json = PartialJson()
        self._name = ""
        self._id: Optional[str] = None

    def add(self, chunk: ToolCallChunk) -> None:
        self._name += chunk.get("name") or ""
        self._id = self._id or chunk.get("id")
        self._json.add(chunk.get("args") or "")

    def continues(self, chunk: ToolCallChunk) -> bool:
        """Return whether a chunk belongs to this call; chunks of another call have another index or id."""
        other = chunk.get("id")
        return chunk.get("index") == self._index and (not other or self._id is None or other == self._id)

    def read(self) -> GrowingToolCall:
        value = self._json.value
        args = value if isinstance(value, dict) else {}
        name = self._name or None
        return {"name": name, "args": args, "id": self._id, "index": self._index, "complete": self._json.complete}


class MessageAccumulator:
    """Accumulates chunks of the `messages` mode into one message per id.

    Tokens are concatenated. A whole message replaces the tokens received under its id. A `RemoveMessage`, which
    announces a new attempt, drops the message of the failed one::

        messages = MessageAccumulator()
        for item in graph.stream(given, stream_mode="messages"):
            messages.add(item)
        print(messages.texts())

    `add` takes constant time regardless of the length of a message; sums are computed when they are read.

    Args:
        items: Chunks to start with.
    """

    def __init__(self, items: Iterable[object] = ()) -> None:
        self._pieces: Dict[str, List[BaseMessage]] = {}
        self._metadata: Dict[str, MessageMetadata] = {}
        self._arguments: Dict[str, List[_Arguments]] = {}
        for item in items:
            self.add(item)

    def add(self, item: object) -> Optional[str]:
        """Add a chunk.

        Args:
            item: A message or message chunk, `(chunk, metadata)`, or a part of `version="v2"`; parts of other modes are
                ignored.

        Returns:
            The id of the changed message, or `None` if no message has changed.
        """
        if isinstance(item, Mapping):
            item = item["data"] if item.get("type") == "messages" else None
        message, metadata = item if isinstance(item, tuple) and len(item) == 2 else (item, {})
        if not isinstance(message, BaseMessage) or message.id is None:
            return None
        if isinstance(message, RemoveMessage):
            return self._remove(message.id)
        pieces = self._pieces.setdefault(message.id, [])
        if not isinstance(message, BaseMessageChunk):
            pieces.clear()
            self._arguments.pop(message.id, None)
        pieces.append(message)
        if isinstance(message, AIMessageChunk) and message.tool_call_chunks:
            self._add_arguments(self._arguments.setdefault(message.id, []), message.tool_call_chunks)
        if isinstance(metadata, Mapping) and metadata:
            self._metadata[message.id] = dict(metadata)
        return message.id

    @property
    def messages(self) -> Dict[str, BaseMessage]:
        """The messages so far by their ids, ordered by their first chunks."""
        return {id_: self._sum(pieces) for id_, pieces in self._pieces.items()}

    def metadata(self, id: str) -> MessageMetadata:  # noqa: A002  (the field's name)
        """Return the metadata of the last chunk of a message.

        Args:
            id: The message's id.
        """
        return self._metadata.get(id, {})

    def texts(self) -> Dict[str, str]:
        """Return the texts of the messages so far by their ids."""
        return {id_: text_of(message) for id_, message in self.messages.items()}

    def tool_calls(self, id: str) -> List[GrowingToolCall]:  # noqa: A002  (the field's name)
        """Return the tool calls of a message with the arguments received so far.

        Calling this after every chunk takes time proportional to the length of the arguments: arguments longer than
        about two thousand characters are parsed again only when they have grown by a fraction, and when they are
        complete.

        Args:
            id: The message's id.
        """
        partial = self._arguments.get(id)
        if partial is not None:
            return [arguments.read() for arguments in partial]
        whole = self._pieces.get(id, ())
        calls = [call for piece in whole if isinstance(piece, AIMessage) for call in piece.tool_calls]
        return [
            {"name": call["name"], "args": call["args"], "id": call["id"], "index": index, "complete": True}
            for index, call in enumerate(calls)
        ]

    def __len__(self) -> int:
        return len(self._pieces)

    def _remove(self, id_: str) -> Optional[str]:
        if id_ == REMOVE_ALL_MESSAGES:
            for kept in (self._pieces, self._metadata, self._arguments):
                kept.clear()
            return id_
        self._metadata.pop(id_, None)
        self._arguments.pop(id_, None)
        return id_ if self._pieces.pop(id_, None) is not None else None

    def _add_arguments(self, partial: List[_Arguments], chunks: Iterable[ToolCallChunk]) -> None:
        for chunk in chunks:
            arguments = next((known for known in reversed(partial) if known.continues(chunk)), None)
            if arguments is None:
                arguments = _Arguments(chunk.get("index"))
                partial.append(arguments)
            arguments.add(chunk)

    def _sum(self, pieces: List[BaseMessage]) -> BaseMessage:
        if len(pieces) > 1:
            first, *rest = pieces
            whole: Any = first
            # A list is added in one go; adding chunks one by one would copy the text once per token.
            together = isinstance(first, AIMessageChunk) and all(isinstance(piece, AIMessageChunk) for piece in rest)
            pieces[:] = [whole + rest if together else reduce(add, rest, whole)]
        return pieces[0]
