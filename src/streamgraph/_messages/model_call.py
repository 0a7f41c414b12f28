"""One model call, as a stream shows it."""

from __future__ import annotations

from typing import Dict, List, Optional
from uuid import uuid4

from langchain_core.messages import BaseMessage

from streamgraph._compat.langchain_core import CallInfo
from streamgraph._drivers.handover import yield_to_reader
from streamgraph._langchain.scope import Scope
from streamgraph._messages.copying import private_copy
from streamgraph._messages.matching import text_of
from streamgraph._messages.partial_json import MISSING
from streamgraph._messages.structured import PartialObject
from streamgraph._propagation import CancelledError, may_lose_cancellation
from streamgraph._streams.copying import copy_containers
from streamgraph._types import MessageMetadata


class ModelCall:
    """One model call: the tokens it streams, which are one message.

    Args:
        scope: The task it is made in.
        metadata: The metadata of its chunks.
        hidden: Nobody is to see its message.
        call_info: How it was made, if a model of LangChain was called.
        partial_object: The object it answers with, if that is to be shown.

    Attributes:
        scope: The task; `None` when nothing more is to be shown, since what the task got is not to live on as long as
            what is known of its messages.
        open: The call is still on.
        awaited: Somebody waits for the call, and a cancellation of it may have been lost: it ends at its next token
            once its task is told to stop.
    """

    __slots__ = (
        "_partial_object",
        "_pieces",
        "awaited",
        "call_info",
        "final",
        "hidden",
        "id",
        "ids",
        "metadata",
        "node",
        "ns",
        "open",
        "scope",
    )

    def __init__(
        self,
        scope: Scope,
        metadata: MessageMetadata,
        hidden: bool,
        call_info: Optional[CallInfo] = None,
        partial_object: Optional[PartialObject] = None,
    ) -> None:
        self.scope: Optional[Scope] = scope
        self.open = True
        self.ns = scope.run.ns
        self.node = scope.task.name
        self._pieces: List[BaseMessage] = []
        self._partial_object = partial_object
        self.metadata = metadata
        self.hidden = hidden
        self.call_info = call_info
        self.awaited = may_lose_cancellation()
        self.id: Optional[str] = None
        self.ids: Dict[str, None] = {}
        self.final: Optional[BaseMessage] = None

    @property
    def streamed(self) -> bool:
        """Whether there has been a token."""
        return self.id is not None

    @property
    def structured(self) -> bool:
        """Whether the object that it answers with is to be shown."""
        return self._partial_object is not None

    def has_shown(self, chunk: BaseMessage) -> bool:
        """Whether a chunk is one of this call's: by its id or, if it has none, by the text of the last token."""
        if chunk.id is not None:
            return chunk.id in self.ids
        return not self.hidden and bool(self._pieces) and text_of(chunk) == text_of(self._pieces[-1])

    def token(self, chunk: BaseMessage, id: Optional[str] = None) -> None:  # noqa: A002  (the field's name)
        """Show a token.

        All tokens of a call go by the id of the first, whatever ids the provider puts on them.

        Args:
            chunk: The token.
            id: The id to go by if it has none.
        """
        scope = self.scope
        if scope is None:  # it belongs to an attempt that has failed, or goes on where it has said that it is done
            return
        own = chunk.id
        first = self.id is None
        if self.id is None:
            self.id = own or id or str(uuid4())
            self.ids[self.id] = None
        if own is not None and own not in self.ids:
            self.ids[own] = None
        self._pieces.append(chunk)
        if self.awaited and scope.stop.is_set and not scope.stop.finished and not scope.over:
            raise CancelledError
        if self.hidden:
            scope.check_alive(is_token=True)
        else:
            self._show(scope, chunk)
            if first:
                yield_to_reader()
        if self._partial_object is not None:
            more = self._partial_object.add(chunk)
            if more is not MISSING:
                self._show_object(scope, more, complete=False)

    def end(self, message: BaseMessage) -> None:
        """Take the finished message; show it if no token was.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        self.final = message
        self._pieces.clear()
        if message.id is not None:
            self.ids[message.id] = None
        if not self.streamed:
            self.id = message.id or str(uuid4())
            if not self.hidden and self.scope is not None:
                self._show(self.scope, message)

    def parsed(self, result: object) -> None:
        """Show the object that was made of the finished message.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        if self.scope is not None:
            self._show_object(self.scope, result, complete=True)

    def message(self) -> Optional[BaseMessage]:
        """Return what was produced: the finished message, or the tokens so far as one."""
        if self.final is None and self._pieces:
            first, *rest = self._pieces
            return first.__class__(content="".join(text_of(piece) for piece in (first, *rest)), id=self.id)
        return self.final

    def _show(self, scope: Scope, message: BaseMessage) -> None:
        metadata = self.metadata.copy()
        metadata["tags"] = metadata["tags"][:]
        scope.emit("messages", (private_copy(message, self.id), metadata))

    def _show_object(self, scope: Scope, value: object, complete: bool) -> None:
        metadata = {**self.metadata, "tags": [*self.metadata["tags"]], "message_id": self.id, "complete": complete}
        scope.emit("objects", (copy_containers(value), metadata))
