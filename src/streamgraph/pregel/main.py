"""`Pregel`: the common class of all graphs that can run, and a graph of nodes and channels by itself."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Generic, Mapping, Optional, Sequence, Tuple, Type, Union

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.graph import Graph
from pydantic import BaseModel
from typing_extensions import Literal, TypeVar

from streamgraph._core.state import Writes
from streamgraph._execution.cache import check_cache
from streamgraph._keywords import checked_keywords
from streamgraph._policies import CachePolicy, RetryPolicy
from streamgraph._runnable.base import GraphBase
from streamgraph._runnable.options import Keys, Modes
from streamgraph._runnable.runnable import GraphRunnable
from streamgraph._runnable.saved_state import SavedState
from streamgraph._runnable.stream_options import KeyedT
from streamgraph._runnable.unsupported import refuse
from streamgraph.pregel._builder import NodeBuilder
from streamgraph.pregel._draw import Depth, drawable
from streamgraph.pregel._inspection import GraphInspection
from streamgraph.pregel._read import PregelNode

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
