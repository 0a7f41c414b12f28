"""Parts of tokens whose payload is made when it is first asked for."""

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
    """A token that nobody can modify before the consumer takes it, so that it need not be copied until then.

    A copy takes more memory than the token's text by far. Made by the consumer it is used at once and its memory is
    used again, instead of waiting in the inbox; and a token that is dropped is never copied.

    Args:
        call: The model call.
        chunk: The token.
    """

    __slots__ = ("_call", "_chunk", "_payload")

    def __init__(self, call: ShownCall, chunk: BaseMessage) -> None:
        self.ns = call.ns
        self.mode = "messages"
        self.source = call.node
        self.key = None
        self._call = call
        self._chunk = chunk
        self._payload: Optional[Tuple[BaseMessage, MessageMetadata]] = None

    @property
    def data(self) -> Any:  # type: ignore[override]  # nobody sets the payload of a finished part
        """The payload: a private copy of the token, and of the metadata of its call."""
        payload = self._payload
        if payload is None:
            call = self._call
            payload = self._payload = private_copy(self._chunk, call.id), copied_metadata(call.metadata)
        return payload


def copied_metadata(metadata: MessageMetadata) -> MessageMetadata:
    """Return a copy of the metadata of a message, with a list of tags of its own."""
    copied = metadata.copy()
    copied["tags"] = copied["tags"][:]
    return copied
