"""Putting the chunks of a stream together again."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any, Dict, Iterable, List, Mapping, Optional

from langchain_core.messages import AIMessageChunk, BaseMessage, BaseMessageChunk, RemoveMessage

from streamgraph._langchain._recognition import text_of
from streamgraph.constants import REMOVE_ALL_MESSAGES

__all__ = ["MessageAccumulator"]


class MessageAccumulator:
    """Folds what the `messages` mode yields into messages, one for each id.

    Tokens add up, a whole message takes the place of what was there under its id, and a `RemoveMessage`, which
    announces that an attempt is made again, drops what it had shown::

        messages = MessageAccumulator()
        for item in graph.stream(given, stream_mode="messages"):
            messages.add(item)
        print(messages.texts())

    Adding takes the same time however long a message is; the sums are made when they are asked for.

    Args:
        items: What to begin with.
    """

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._pieces: Dict[str, List[BaseMessage]] = {}
        self._metadata: Dict[str, Dict[str, Any]] = {}
        for item in items:
            self.add(item)

    def add(self, item: Any) -> Optional[str]:
        """Take in a chunk.

        Args:
            item: A message or chunk, `(chunk, metadata)`, or a part of `version="v2"`; of other modes nothing is
                taken in.

        Returns:
            The id of the message that has changed, or `None` if none has.
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
        pieces.append(message)
        if isinstance(metadata, Mapping) and metadata:
            self._metadata[message.id] = dict(metadata)
        return message.id

    @property
    def messages(self) -> Dict[str, BaseMessage]:
        """The messages so far by their ids, in the order in which they began."""
        return {id_: self._sum(pieces) for id_, pieces in self._pieces.items()}

    def metadata(self, id: str) -> Dict[str, Any]:  # noqa: A002  (the field's name)
        """Return the metadata that the last chunk of a message had.

        Args:
            id: The message's id.
        """
        return self._metadata.get(id, {})

    def texts(self) -> Dict[str, str]:
        """Return the texts of the messages so far by their ids."""
        return {id_: text_of(message) for id_, message in self.messages.items()}

    def __len__(self) -> int:
        return len(self._pieces)

    def _remove(self, id_: str) -> Optional[str]:
        if id_ == REMOVE_ALL_MESSAGES:
            self._pieces.clear()
            self._metadata.clear()
            return id_
        self._metadata.pop(id_, None)
        return id_ if self._pieces.pop(id_, None) is not None else None

    def _sum(self, pieces: List[BaseMessage]) -> BaseMessage:
        if len(pieces) > 1:
            first, *rest = pieces
            whole: Any = first
            # A list of them is added at once: one after the other would copy the text as often as there are tokens.
            together = isinstance(first, AIMessageChunk) and all(isinstance(piece, AIMessageChunk) for piece in rest)
            pieces[:] = [whole + rest if together else reduce(add, rest, whole)]
        return pieces[0]
