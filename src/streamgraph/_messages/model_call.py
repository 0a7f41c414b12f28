"""One model call, as shown in a stream."""

from __future__ import annotations

from typing import Dict, List, Optional
from uuid import uuid4

from langchain_core.messages import BaseMessage

from streamgraph._compat.langchain_core import CallInfo, keeps_chunk
from streamgraph._drivers.handover import ReaderTurns
from streamgraph._langchain.scope import Scope
from streamgraph._messages.copying import detach, is_last, marked_last, private_copy
from streamgraph._messages.matching import text_of
from streamgraph._messages.partial_json import MISSING
from streamgraph._messages.structured import PartialObject
from streamgraph._messages.token_part import TokenPart
from streamgraph._propagation import CancelledError, may_lose_cancellation
from streamgraph._streams.copying import copy_containers
from streamgraph._types import MessageMetadata


class ModelCall:
    """A model call that is being shown; its tokens form one message.

    Args:
        scope: The task that makes the call.
        metadata: The metadata of its chunks.
        hidden: True if its message is not shown.
        turns: Lets the consumer take the first token.
        call_info: Details of the call, if a LangChain model was called.
        partial_object: The partial structured output, if it is to be shown.

    Attributes:
        scope: The task; `None` when nothing more is to be shown, so that the task's input is not kept alive as long as
            the message tracker.
        open: True until the call has ended.
        awaited: True if the call is awaited and its cancellation may have been lost; it then ends at its next token
            after its task was cancelled.
        unended: The last token shown, if the stream does not show yet that the message is over.
    """

    __slots__ = (
        "_kept",
        "_partial_object",
        "_pieces",
        "_turns",
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
        "unended",
    )

    def __init__(
        self,
        scope: Scope,
        metadata: MessageMetadata,
        hidden: bool,
        turns: ReaderTurns,
        call_info: Optional[CallInfo] = None,
        partial_object: Optional[PartialObject] = None,
    ) -> None:
        self.scope: Optional[Scope] = scope
        self.open = True
        self.ns = scope.run.ns
        self.node = scope.task.name
        self._pieces: List[BaseMessage] = []
        self._kept = False  # nobody but langchain-core gets hold of the tokens
        self._partial_object = partial_object
        self._turns = turns
        self.metadata = metadata
        self.hidden = hidden
        self.call_info = call_info
        self.awaited = may_lose_cancellation()
        self.id: Optional[str] = None
        self.ids: Dict[str, None] = {}
        self.final: Optional[BaseMessage] = None
        self.unended: Optional[BaseMessage] = None

    @property
    def streamed(self) -> bool:
        """True after the first token."""
        return self.id is not None

    @property
    def structured(self) -> bool:
        """True if the structured output of the call is to be shown."""
        return self._partial_object is not None

    def has_shown(self, chunk: BaseMessage) -> bool:
        """Return whether a chunk belongs to this call: by its id, or without one by the text of the last token."""
        if chunk.id is not None:
            return chunk.id in self.ids
        return not self.hidden and bool(self._pieces) and text_of(chunk) == text_of(self._pieces[-1])

    def token(self, chunk: BaseMessage, id: Optional[str] = None) -> None:  # noqa: A002  (the field's name)
        """Show a token.

        All tokens of a call get the id of the first one, whatever ids the provider assigns.

        Args:
            chunk: The token.
            id: The id to use if the first token has none.
        """
        scope = self.scope
        if scope is None:  # the attempt has failed, or the call continues after it was reported as ended
            return
        own = chunk.id
        first = self.id is None
        if self.id is None:
            self.id = own or id or str(uuid4())
            self.ids[self.id] = None
            self._kept = keeps_chunk()
        if own is not None and own not in self.ids:
            self.ids[own] = None
        self._pieces.append(chunk)
        if self.awaited and scope.stop.is_set and not scope.stop.finished and not scope.over:
            raise CancelledError
        if self.hidden:
            scope.check_alive(is_token=True)
        else:
            scope.put_in(TokenPart(self, chunk, self._kept))
            if first:
                self._turns.give()
        if self._partial_object is not None:
            more = self._partial_object.add(chunk)
            if more is not MISSING:
                self._show_object(scope, more, complete=False)

    def end(self, message: BaseMessage) -> None:
        """Record the finished message; show it if no token was shown.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        self.final = message
        self._pieces.clear()
        if self._kept:
            # The tokens that the consumer has not taken yet are not copied, and the node may modify its message.
            detach(message)
        if message.id is not None:
            self.ids[message.id] = None
        if not self.streamed:
            self.id = message.id or str(uuid4())
            if not self.hidden and self.scope is not None:
                self.scope.put_in(TokenPart(self, _whole(message), lasting=False))

    def stop(self) -> None:
        """Note that no token follows, before `end` forgets the last one."""
        last = self._pieces[-1] if self._pieces and not self.hidden else None
        self.unended = None if last is None or is_last(last) else last

    def parsed(self, result: object) -> None:
        """Show the object parsed from the finished message.

        Raises:
            StreamClosed: The work is no longer wanted.
        """
        if self.scope is not None:
            self._show_object(self.scope, result, complete=True)

    def message(self) -> Optional[BaseMessage]:
        """Return the finished message, or the tokens so far as one message; `None` before the first token."""
        if self.final is None and self._pieces:
            first, *rest = self._pieces
            return first.__class__(content="".join(text_of(piece) for piece in (first, *rest)), id=self.id)
        return self.final

    def _show_object(self, scope: Scope, value: object, complete: bool) -> None:
        metadata = {**self.metadata, "tags": [*self.metadata["tags"]], "message_id": self.id, "complete": complete}
        scope.emit("objects", (copy_containers(value), metadata))


def _whole(message: BaseMessage) -> BaseMessage:
    return message if is_last(message) else marked_last(private_copy(message, message.id))
