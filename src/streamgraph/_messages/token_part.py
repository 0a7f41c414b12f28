"""Parts of a model call's message, whose payload is made when it is first asked for."""

from __future__ import annotations

from typing import Any, Optional, Tuple

from langchain_core.messages import BaseMessage
from typing_extensions import Protocol

from streamgraph._messages.copying import private_copy
from streamgraph._streams.part import Part
from streamgraph._types import MessageMetadata


class ShownCall(Protocol):
    """What a token has of its model call.

    Attributes:
        id: The id of the message.
        metadata: The metadata of the tokens.
        node: The node that has made the call.
        ns: The namespace of its graph.
    """

    id: Optional[str]
    metadata: MessageMetadata
    node: str
    ns: Tuple[str, ...]


class TokenPart(Part):
    """A token, or the whole message of a call without tokens.

    If possible, it is copied when the consumer takes it: a copy takes far more memory than the text of a token, which
    then does not wait in the inbox, and is soon used again. A token that is dropped is never copied.

    Args:
        call: The model call.
        message: The token or message.
        lasting: Nobody can modify it before the consumer takes it; otherwise it is copied at once.
    """

    __slots__ = ("_message", "_payload", "call")

    def __init__(self, call: ShownCall, message: BaseMessage, lasting: bool) -> None:
        self.ns = call.ns
        self.mode = "messages"
        self.source = call.node
        self.key = None
        self.call = call
        self._message = message
        self._payload: Optional[Tuple[BaseMessage, MessageMetadata]] = None
        if not lasting:
            self._payload = self.data

    @property
    def data(self) -> Any:
        """The payload: private copies of the message and of the metadata of its call."""
        payload = self._payload
        if payload is None:
            call = self.call
            metadata = call.metadata.copy()
            metadata["tags"] = metadata["tags"][:]
            payload = self._payload = private_copy(self._message, call.id), metadata
        return payload

    @property
    def message(self) -> BaseMessage:
        """The message, which the receiver must not modify; its id may be another one than that of the payload."""
        payload = self._payload
        return self._message if payload is None else payload[0]
