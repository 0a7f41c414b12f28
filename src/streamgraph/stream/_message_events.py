"""Parts of a stream as events of the v3 protocol, in which a message is a sequence of events."""

from __future__ import annotations

import sys
from collections import deque
from typing import Any, Awaitable, Deque, Dict, Generator, List, Mapping, Optional, Tuple

from langchain_core.messages import AIMessageChunk, BaseMessageChunk

from streamgraph._compat.langchain_core import Generation, MessageStreams, message_streams
from streamgraph.stream._convert import convert_to_protocol_event, event_of
from streamgraph.stream._types import ProtocolEvent, Scope

__all__ = ["MessageEvents"]


class MessageEvents:
    """Turns parts into events. The chunks of a message become its `message-start` to `message-finish`.

    That is how models are shown that stream in the older way, whoever calls them and by whichever method. Whole
    messages remain what they are. Where langchain-core has no such events, chunks remain chunks.
    """

    def __init__(self) -> None:
        self._streams = message_streams()
        self._open: Dict[Tuple[Scope, Optional[str]], _OpenMessage] = {}

    def of(self, part: Mapping[str, Any]) -> List[ProtocolEvent]:
        """Return the events of a part of a stream with `version="v2"`.

        Args:
            part: The part. One that reports the failure of the run has none, since its reader gets the exception.
        """
        kind = part["type"]
        if kind == "messages" and self._streams is not None and isinstance(part["data"][0], BaseMessageChunk):
            return self._events(self._streams, part["ns"], *part["data"])
        return [] if kind == "error" else [convert_to_protocol_event(part)]

    def _events(
        self, streams: MessageStreams, ns: Scope, chunk: BaseMessageChunk, metadata: Mapping[str, Any]
    ) -> List[ProtocolEvent]:
        key = (ns, chunk.id)
        message = self._open.get(key)
        if message is None:
            # The events of a message belong together by the run that they come from: a model's, or else its own.
            message = self._open[key] = _OpenMessage(streams, chunk.id, {"run_id": chunk.id, **metadata})
        items = message.add(chunk)
        if getattr(chunk, "chunk_position", None) == "last":
            del self._open[key]
            items += message.finish()
        return [event_of("messages", ns, (item, message.metadata)) for item in items]


class _OpenMessage:
    """A message whose chunks come one by one.

    langchain-core makes events of an async iterator of chunks. That is driven by hand here: what it awaits when there
    is no chunk hands control back, and no event loop is needed.
    """

    def __init__(self, streams: MessageStreams, message_id: Optional[str], metadata: Mapping[str, Any]) -> None:
        self.metadata = metadata
        self._chunks = _Chunks()
        self._items = streams.aevents(self._chunks, message_id=message_id)
        # An event loop would otherwise take care of the generator, although nothing in it ever waits for the loop.
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, None)
        try:
            self._step = self._items.__anext__()
        finally:
            sys.set_asyncgen_hooks(*hooks)

    def add(self, chunk: BaseMessageChunk) -> List[Any]:
        """Return the events that another chunk makes."""
        if not isinstance(chunk, AIMessageChunk):
            chunk = AIMessageChunk(content=chunk.content, id=chunk.id, response_metadata=chunk.response_metadata)
        self._chunks.waiting.append(Generation(chunk))
        return self._take()

    def finish(self) -> List[Any]:
        """Return the events that end the message."""
        self._chunks.over = True
        return self._take()

    def _take(self) -> List[Any]:
        found: List[Any] = []
        while True:
            try:
                self._step.send(None)
            except StopIteration as item:
                found.append(item.value)
                self._step = self._items.__anext__()
            except StopAsyncIteration:
                return found
            else:
                return found


class _Chunks:
    """The chunks of a message so far; asking for one more pauses until there is one, or the message is over."""

    def __init__(self) -> None:
        self.waiting: Deque[Any] = deque()
        self.over = False

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> Any:
        while not self.waiting:
            if self.over:
                raise StopAsyncIteration
            await _PAUSE
        return self.waiting.popleft()


class _Pause(Awaitable[None]):
    def __await__(self) -> Generator[Any, None, None]:
        yield


_PAUSE = _Pause()
