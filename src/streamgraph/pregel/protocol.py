"""What every graph that can run offers, as an abstract class, and the type of what takes the parts of a stream."""

# ruff: noqa: A002, D102  (`filter` and `input` are the names that the field uses; `Pregel` describes the methods)
from __future__ import annotations

from abc import abstractmethod
from typing import Any, AsyncIterator, Callable, Generic, Iterator, Mapping, Optional, Sequence, Set, Tuple, Union

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.graph import Graph
from typing_extensions import Literal, Self, TypeVar

from streamgraph._types import All, Command, StreamMode
from streamgraph.types import StateSnapshot

__all__ = ["PregelProtocol", "StreamProtocol"]

StateT = TypeVar("StateT", default=Any)
ContextT = TypeVar("ContextT", default=Any)
InputT = TypeVar("InputT", default=Any)
OutputT = TypeVar("OutputT", default=Any)

Given = Union[InputT, Command[str], None]
Config = Optional[RunnableConfig]
Updates = Sequence[Sequence[object]]
Nodes = Union[All, Sequence[str], None]


class PregelProtocol(Runnable[Any, Any], Generic[StateT, ContextT, InputT, OutputT]):
    """A graph that can run, wherever it runs: a Runnable with the methods for its structure and its saved states.

    `Pregel` is one. A class of one's own derives from this one for `isinstance`, for example a client of a graph that
    runs elsewhere. Each method is described at `Pregel`.
    """

    @abstractmethod
    def with_config(self, config: Config = None, **kwargs: object) -> Self: ...

    @abstractmethod
    def get_graph(self, config: Config = None, *, xray: Union[bool, int] = False) -> Graph: ...

    @abstractmethod
    async def aget_graph(self, config: Config = None, *, xray: Union[bool, int] = False) -> Graph: ...

    @abstractmethod
    def get_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> StateSnapshot: ...

    @abstractmethod
    async def aget_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> StateSnapshot: ...

    @abstractmethod
    def get_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: Optional[Mapping[str, object]] = None,
        before: Config = None,
        limit: Optional[int] = None,
    ) -> Iterator[StateSnapshot]: ...

    @abstractmethod
    def aget_state_history(
        self,
        config: RunnableConfig,
        *,
        filter: Optional[Mapping[str, object]] = None,
        before: Config = None,
        limit: Optional[int] = None,
    ) -> AsyncIterator[StateSnapshot]: ...

    @abstractmethod
    def bulk_update_state(self, config: RunnableConfig, updates: Updates) -> RunnableConfig: ...

    @abstractmethod
    async def abulk_update_state(
        self, config: RunnableConfig, updates: Sequence[Sequence[object]]
    ) -> RunnableConfig: ...

    @abstractmethod
    def update_state(self, config: RunnableConfig, values: object, as_node: Optional[str] = None) -> RunnableConfig: ...

    @abstractmethod
    async def aupdate_state(
        self, config: RunnableConfig, values: object, as_node: Optional[str] = None
    ) -> RunnableConfig: ...

    @abstractmethod
    def stream(  # type: ignore[override]
        self,
        input: Given[InputT],
        config: Config = None,
        *,
        context: Optional[ContextT] = None,
        stream_mode: Union[StreamMode, Sequence[StreamMode], None] = None,
        interrupt_before: Nodes = None,
        interrupt_after: Nodes = None,
        subgraphs: bool = False,
        version: Literal["v1", "v2"] = "v1",
    ) -> Iterator[Any]: ...

    @abstractmethod
    def astream(  # type: ignore[override]
        self,
        input: Given[InputT],
        config: Config = None,
        *,
        context: Optional[ContextT] = None,
        stream_mode: Union[StreamMode, Sequence[StreamMode], None] = None,
        interrupt_before: Nodes = None,
        interrupt_after: Nodes = None,
        subgraphs: bool = False,
        version: Literal["v1", "v2"] = "v1",
    ) -> AsyncIterator[Any]: ...

    @abstractmethod
    def invoke(  # type: ignore[override]
        self,
        input: Given[InputT],
        config: Config = None,
        *,
        context: Optional[ContextT] = None,
        interrupt_before: Nodes = None,
        interrupt_after: Nodes = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> Any: ...

    @abstractmethod
    async def ainvoke(  # type: ignore[override]
        self,
        input: Given[InputT],
        config: Config = None,
        *,
        context: Optional[ContextT] = None,
        interrupt_before: Nodes = None,
        interrupt_after: Nodes = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> Any: ...


StreamChunk = Tuple[Tuple[str, ...], str, object]
"""One part: the namespace, the mode and the payload."""


class StreamProtocol:
    """A function that takes the parts of a stream, and the modes that it wants.

    Args:
        __call__: The function; it gets `(namespace, mode, payload)`.
        modes: The modes.
    """

    __slots__ = ("__call__", "modes")

    modes: Set[StreamMode]

    def __init__(self, __call__: Callable[[StreamChunk], None], modes: Set[StreamMode]) -> None:
        object.__setattr__(self, "__call__", __call__)
        self.modes = modes
