"""Tool calls of a run as streams of their own."""

from __future__ import annotations

from typing import Any, AsyncIterator, Awaitable, Callable, Dict, Iterator, Mapping, Optional, Tuple

from langchain_core.messages import ToolMessage

from streamgraph.stream import ProtocolEvent, StreamChannel, StreamTransformer

__all__ = ["ToolCallStream", "ToolCallTransformer"]


class ToolCallStream:
    """One tool call, as an item of `run.tool_calls`. Iterating it gives the pieces of its output.

    Args:
        tool_call_id: The id of the call, as in the model's message.
        tool_name: The name of the tool.
        input: Its arguments; `None` if they are not known.

    Attributes:
        tool_call_id: The id of the call.
        tool_name: The name of the tool.
        input: The arguments.
        output: The result; `None` before the end, and after a failure.
        error: The text of the error; `None` without one.
        completed: True when the call has ended.
    """

    def __init__(self, tool_call_id: str, tool_name: str, input: Optional[Dict[str, Any]] = None) -> None:  # noqa: A002
        self.tool_call_id = tool_call_id
        self.tool_name = tool_name
        self.input = input
        self.output: Any = None
        self.error: Optional[str] = None
        self.completed = False
        self._output_deltas: StreamChannel[Any] = StreamChannel()

    def __repr__(self) -> str:
        status = "running" if not self.completed else "completed" if self.error is None else "failed"
        return f"ToolCallStream(tool_call_id={self.tool_call_id!r}, tool_name={self.tool_name!r}, status={status})"

    @property
    def output_deltas(self) -> StreamChannel[Any]:
        """The pieces of the output that the tool streams; the channel ends with the call."""
        return self._output_deltas

    def __iter__(self) -> Iterator[Any]:
        """Read the pieces of the output in a sync run."""
        return iter(self._output_deltas)

    def __aiter__(self) -> AsyncIterator[Any]:
        """Read the pieces of the output in an async run."""
        return self._output_deltas.__aiter__()

    def _bind(self, *, is_async: bool) -> None:
        self._output_deltas._bind(is_async=is_async)

    def _push_delta(self, delta: object) -> None:
        self._output_deltas.push(delta)

    def _finish(self, output: object) -> None:
        self.output = output
        self._end()

    def _fail(self, message: str) -> None:
        self.error = message
        self._end()

    def _end(self) -> None:
        self.completed = True
        self._output_deltas.close()


class ToolCallTransformer(StreamTransformer):
    """Shows each tool call of a graph as a `ToolCallStream`: `run.tool_calls`.

    ::

        graph = builder.compile(transformers=[ToolCallTransformer])

    Args:
        scope: The namespace whose tool calls it is for.
    """

    _native = True
    required_stream_modes = ("tools",)

    def __init__(self, scope: Tuple[str, ...] = ()) -> None:
        super().__init__(scope)
        self._log: StreamChannel[ToolCallStream] = StreamChannel()
        self._active: Dict[str, ToolCallStream] = {}
        self._is_async = False
        self._pump_fn: Optional[Callable[[], bool]] = None
        self._apump_fn: Optional[Callable[[], Awaitable[bool]]] = None

    def init(self) -> Dict[str, Any]:
        """Return the channel of tool calls."""
        return {"tool_calls": self._log}

    def _on_register(self, mux: Any) -> None:
        self._is_async = mux.is_async

    def _bind_pump(self, fn: Callable[[], bool]) -> None:
        self._pump_fn, self._is_async = fn, False

    def _bind_apump(self, fn: Callable[[], Awaitable[bool]]) -> None:
        self._apump_fn, self._is_async = fn, True

    def process(self, event: ProtocolEvent) -> bool:
        """Take in a `tools` event of the graph."""
        params = event["params"]
        if event["method"] == "tools" and tuple(params["namespace"]) == self.scope:
            call_id = params["data"].get("tool_call_id")
            if call_id is not None:
                self._take(call_id, params["data"])
        return True

    def _take(self, call_id: str, data: Mapping[str, Any]) -> None:
        kind = data.get("event")
        if kind == "tool-started":
            self._active[call_id] = stream = ToolCallStream(call_id, data.get("tool_name", ""), data.get("input"))
            stream._bind(is_async=self._is_async)
            stream._output_deltas._request_more = self._pump_fn
            stream._output_deltas._arequest_more = self._apump_fn
            self._log.push(stream)
        elif call_id not in self._active:
            return
        elif kind == "tool-output-delta":
            self._active[call_id]._push_delta(data.get("delta"))
        elif kind == "tool-finished":
            self._active.pop(call_id)._finish(_content(data.get("output")))
        elif kind == "tool-error":
            self._active.pop(call_id)._fail(data.get("message", ""))

    def finalize(self) -> None:
        """End the calls that have not ended."""
        for stream in self._active.values():
            stream._finish(None)
        self._active.clear()

    def fail(self, err: BaseException) -> None:
        """End the calls that have not ended with the error of the run."""
        for stream in self._active.values():
            stream._fail(str(err))
        self._active.clear()


def _content(output: object) -> object:
    """Return the content of a tool message, also of one that was serialized by langchain-core."""
    if isinstance(output, ToolMessage):
        return output.content
    if isinstance(output, dict) and output.get("type") == "constructor" and isinstance(output.get("kwargs"), dict):
        path = output.get("id")
        if isinstance(path, list) and path[-1:] == ["ToolMessage"]:
            return output["kwargs"].get("content")
    return output
