"""`Pregel`: the common class of all graphs that can run, and a graph of nodes and channels by itself."""

from __future__ import annotations

from typing import Any, Generic

from typing_extensions import TypeVar

from streamgraph._runnable.runnable import GraphRunnable
from streamgraph._runnable.saved_state import SavedState
from streamgraph._runnable.stream_options import KeyedT
from streamgraph.pregel._builder import NodeBuilder
from streamgraph.pregel._inspection import GraphInspection

__all__ = ["NodeBuilder", "Pregel"]

StateT = TypeVar("StateT", default=Any)
ContextT = TypeVar("ContextT", default=Any)
InputT = TypeVar("InputT", default=Any)
OutputT = TypeVar("OutputT", default=Any)


class Pregel(
    GraphRunnable[InputT, ContextT, StateT, OutputT, KeyedT],
    GraphInspection,
    SavedState,
    Generic[StateT, ContextT, InputT, OutputT, KeyedT],
):
    pass
