"""The transformer that shows each message of a chat model as a stream of its own."""

from __future__ import annotations

from typing import Any, Awaitable, Callable, Dict, Mapping, Optional, Set

from langchain_core.messages import AIMessageChunk, BaseMessage, RemoveMessage, ToolMessage

from streamgraph._compat.langchain_core import message_streams
from streamgraph.errors import NotSupportedError
from streamgraph.stream._types import Projection, ProtocolEvent, Scope, StreamTransformer, is_at
from streamgraph.stream.stream_channel import StreamChannel

__all__ = ["MessagesTransformer"]

_NOT_SHOWN = (AIMessageChunk, RemoveMessage, ToolMessage)


class MessagesTransformer(StreamTransformer):
    """Shows each message of the graph as an object of its own: `run.messages`.

    The objects are langchain-core's `ChatModelStream`, or `AsyncChatModelStream` in async runs, which also have the
    `metadata` of the message and its `tags`. They are made of the events of a message (`message-start` to
    `message-finish`), which a run makes of its chunks, or of a whole message that a node has returned. Chunks as such,
    tool messages and what takes a message back are not shown.

    Args:
        scope: The namespace whose messages it is for.

    Raises:
        NotSupportedError: The installed langchain-core has no such objects.
    """

    _native = True
    required_stream_modes = ("messages",)

    def __init__(self, scope: Scope = ()) -> None:
        super().__init__(scope)
        streams = message_streams()
        if streams is None:
            raise NotSupportedError(
                "The installed langchain-core has no ChatModelStream, of which run.messages consists",
                hint="Install a newer one, on Python 3.10 or later, or read the `messages` mode of stream().",
            )
        self._streams = streams
        self._log: StreamChannel[Any] = StreamChannel()
        self._by_run: Dict[str, Any] = {}
        self._ignored_runs: Set[str] = set()
        self._pump_fn: Optional[Callable[[], bool]] = None
        self._apump_fn: Optional[Callable[[], Awaitable[bool]]] = None

    def init(self) -> Projection:
        """Return the channel of the messages."""
        return {"messages": self._log}

    def _bind_pump(self, fn: Callable[[], bool]) -> None:
        self._pump_fn = fn

    def _bind_apump(self, fn: Callable[[], Awaitable[bool]]) -> None:
        self._apump_fn = fn

    def process(self, event: ProtocolEvent) -> bool:
        """Take in a `messages` event of the graph."""
        if is_at(event, "messages", self.scope):
            payload, metadata = event["params"]["data"]
            metadata = metadata or {}
            if isinstance(payload, dict) and "event" in payload:
                self._take(payload, str(metadata.get("run_id", "")), metadata)
            elif isinstance(payload, BaseMessage) and not isinstance(
                payload, (AIMessageChunk, RemoveMessage, ToolMessage)
            ):
                stream = self._new(metadata, payload.id)
                for item in self._streams.events(payload, message_id=payload.id):
                    stream.dispatch(item)
                self._log.push(stream)
        return True

    def _take(self, item: Mapping[str, Any], run_id: str, metadata: Mapping[str, Any]) -> None:
        """Take in an event of a model's run."""
        kind = item.get("event")
        if kind == "message-start":
            if item.get("role") == "tool":  # shown by the `tools` mode
                self._ignored_runs.add(run_id)
                return
            given = item.get("message_id", item.get("id"))
            self._by_run[run_id] = self._new(metadata, None if given is None else str(given))
            self._log.push(self._by_run[run_id])
        if run_id in self._by_run and run_id not in self._ignored_runs:
            self._by_run[run_id].dispatch(item)
        if kind == "message-finish":
            self._ignored_runs.discard(run_id)
            self._by_run.pop(run_id, None)

    def _new(self, metadata: Mapping[str, Any], message_id: Optional[str]) -> Any:
        """Return the object of a new message, which asks for more as the run stream does."""
        sync = self._apump_fn is None and self._pump_fn is not None
        kind = self._streams.sync if sync else self._streams.asyn
        stream: Any = kind(namespace=list(self.scope), node=metadata.get("langgraph_node"), message_id=message_id)
        stream.metadata = dict(metadata)
        stream.tags = list(metadata.get("tags") or ())
        if sync:
            stream.set_request_more(self._pump_fn)
        elif self._apump_fn is not None:
            stream.set_arequest_more(self._apump_fn)
        return stream

    def finalize(self) -> None:
        """Forget the models' runs; the messages have ended by themselves."""
        self._by_run.clear()
        self._ignored_runs.clear()

    def fail(self, err: BaseException) -> None:
        """End the messages that are not complete with the error of the run."""
        for stream in self._by_run.values():
            stream.fail(err)
        self.finalize()
