"""Transformers that show one stream mode of a graph as it is."""

from __future__ import annotations

from typing import Any, ClassVar, Dict, List, Optional

from streamgraph.stream._types import Projection, ProtocolEvent, Scope, StreamTransformer, is_at
from streamgraph.stream.stream_channel import StreamChannel

__all__ = [
    "CheckpointsTransformer",
    "CustomTransformer",
    "DebugTransformer",
    "TasksTransformer",
    "UpdatesTransformer",
    "ValuesTransformer",
]


class _ModeTransformer(StreamTransformer):
    """Shows the payloads of one mode, from the graph itself; those of nested graphs are in the projections there."""

    _native = True
    mode: ClassVar[str]

    def __init__(self, scope: Scope = ()) -> None:
        super().__init__(scope)
        self._log: StreamChannel[Any] = StreamChannel()

    def init(self) -> Projection:
        """Return the channel of the payloads, under the name of the mode."""
        return {self.mode: self._log}

    def process(self, event: ProtocolEvent) -> bool:
        """Show the payload, if it is one of the mode and of the graph."""
        if is_at(event, self.mode, self.scope):
            self._log.push(event["params"]["data"])
        return True


class ValuesTransformer(_ModeTransformer):
    """Shows the state after each step: `run.values`."""

    mode = "values"
    required_stream_modes = ("values",)

    def __init__(self, scope: Scope = ()) -> None:
        super().__init__(scope)
        self._latest: Optional[Dict[str, Any]] = None
        self._interrupted = False
        self._interrupts: List[Any] = []

    @property
    def error(self) -> Optional[BaseException]:
        """The error of the run; `None` if it has not failed."""
        return self._log._error

    def process(self, event: ProtocolEvent) -> bool:
        """Show the state, and keep it and the open questions."""
        if is_at(event, self.mode, self.scope):
            params = event["params"]
            self._latest = params["data"]
            self._interrupts += params.get("interrupts", ())
            self._interrupted = bool(self._interrupts)
        return super().process(event)


class CustomTransformer(_ModeTransformer):
    """Shows what nodes write with a stream writer: `run.custom`."""

    mode = "custom"
    required_stream_modes = ("custom",)


class UpdatesTransformer(_ModeTransformer):
    """Shows what each node writes to the state: `run.updates`."""

    mode = "updates"
    required_stream_modes = ("updates",)


class CheckpointsTransformer(_ModeTransformer):
    """Shows the saved states of the run: `run.checkpoints`; there are none without a checkpointer."""

    mode = "checkpoints"
    required_stream_modes = ("checkpoints",)


class DebugTransformer(_ModeTransformer):
    """Shows every detail of each step: `run.debug`."""

    mode = "debug"
    required_stream_modes = ("debug",)


class TasksTransformer(_ModeTransformer):
    """Shows the start and the result of each task: `run.tasks`."""

    mode = "tasks"
    required_stream_modes = ("tasks",)
