"""`astream` of a graph or workflow, with the type of its chunks for each mode."""

# ruff: noqa: A002  (`input` is the name that the field uses)
from __future__ import annotations

from typing import Any, Optional, Tuple, overload

from langchain_core.runnables import RunnableConfig
from typing_extensions import Literal, Unpack

from streamgraph._core.control import RunControl
from streamgraph._drivers.driver_asyncio import AsyncGraphStream
from streamgraph._keywords import checked_keywords
from streamgraph._policies import Seconds
from streamgraph._runnable.base import Keys
from streamgraph._runnable.filter_options import Names
from streamgraph._runnable.flow_options import check_flow_control
from streamgraph._runnable.options import Modes
from streamgraph._runnable.stream_call import StreamRunnable
from streamgraph._runnable.stream_options import (
    AnyKeywords,
    ChunkKeywords,
    Config,
    ContextT,
    GivenT,
    KeyedT,
    Message,
    ModePair,
    Namespace,
    NamespacedKeywords,
    NamespacedPair,
    Object,
    OutputT,
    PartKeywords,
    Record,
    SeveralModes,
    StateT,
    Updates,
    Values,
)
from streamgraph._runnable.unsupported import refuse
from streamgraph._streams.flow import Overflow
from streamgraph._types import Durability
from streamgraph.types import DebugPayload, StreamPart, TaskPayload, ToolPayload


class AsyncStreamRunnable(StreamRunnable[GivenT, ContextT, StateT, OutputT, KeyedT]):
    """A graph or workflow that streams, also on an event loop."""

    @overload  # type: ignore[override]
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["messages"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> AsyncGraphStream[Message]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Optional[Literal["updates"]] = None,
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> AsyncGraphStream[Updates]: ...

    @overload
    def astream(
        self: AsyncStreamRunnable[GivenT, ContextT, Record, Any, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> AsyncGraphStream[Values]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> AsyncGraphStream[StateT]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["objects"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> AsyncGraphStream[Object]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tools"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> AsyncGraphStream[ToolPayload]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tasks"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> AsyncGraphStream[TaskPayload]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["debug"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> AsyncGraphStream[DebugPayload]: ...

    @overload
    def astream(
        self: AsyncStreamRunnable[GivenT, ContextT, Record, Any, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> AsyncGraphStream[ModePair[Values]]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> AsyncGraphStream[ModePair[StateT]]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["messages"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[Tuple[Namespace, Message]]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Optional[Literal["updates"]] = None,
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[Tuple[Namespace, Updates]]: ...

    @overload
    def astream(
        self: AsyncStreamRunnable[GivenT, ContextT, Record, Any, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[Tuple[Namespace, Values]]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[Tuple[Namespace, StateT]]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["objects"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[Tuple[Namespace, Object]]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tools"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[Tuple[Namespace, ToolPayload]]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tasks"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[Tuple[Namespace, TaskPayload]]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["debug"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[Tuple[Namespace, DebugPayload]]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["custom"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[Tuple[Namespace, Any]]: ...

    @overload
    def astream(
        self: AsyncStreamRunnable[GivenT, ContextT, Record, Any, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[NamespacedPair[Values]]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[NamespacedPair[StateT]]: ...

    @overload
    def astream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        output_keys: None = None,
        **options: Unpack[PartKeywords[ContextT]],
    ) -> AsyncGraphStream[StreamPart[StateT, OutputT]]: ...

    @overload
    def astream(
        self, input: GivenT, config: Config = None, *, output_keys: Keys, **options: Unpack[PartKeywords[ContextT]]
    ) -> AsyncGraphStream[StreamPart[Any, Any]]: ...

    @overload
    def astream(
        self, input: GivenT, config: Config = None, **options: Unpack[AnyKeywords[ContextT]]
    ) -> AsyncGraphStream[Any]: ...

    @checked_keywords
    def astream(
        self,
        input: Any,
        config: Optional[RunnableConfig] = None,
        *,
        context: Any = None,
        stream_mode: Modes = None,
        print_mode: Modes = (),
        output_keys: Keys = None,
        subgraphs: Optional[bool] = None,
        debug: Optional[bool] = None,
        interrupt_before: None = None,
        interrupt_after: None = None,
        durability: Optional[Durability] = None,
        control: Optional[RunControl] = None,
        include_nodes: Names = None,
        exclude_nodes: Names = None,
        include_tags: Names = None,
        exclude_tags: Names = None,
        include_keys: Names = None,
        exclude_keys: Names = None,
        include_raw: bool = True,
        max_buffer: Optional[int] = None,
        overflow: Overflow = "block",
        heartbeat: Optional[Seconds] = None,
        timeout: Optional[Seconds] = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> AsyncGraphStream[Any]:
        """Run the graph on the event loop and yield what happens, as it happens.

        Sync nodes run in threads, so that they do not block the loop. Arguments, chunks and errors are those
        of `stream`.

        Returns:
            An async iterator of chunks that can also be closed (`aclose`), is an async context manager, and
            has the final state as `.output` in the end.
        """
        refuse(interrupt_before=interrupt_before, interrupt_after=interrupt_after)
        filter_ = self._filter(
            include_nodes=include_nodes,
            exclude_nodes=exclude_nodes,
            include_tags=include_tags,
            exclude_tags=exclude_tags,
            include_keys=include_keys,
            exclude_keys=exclude_keys,
            include_raw=include_raw,
        )
        flow = check_flow_control(max_buffer, overflow, heartbeat, timeout)
        options = self._options(stream_mode, print_mode, output_keys, subgraphs, debug, version, control, filter_)
        return self._aopen(input, config, context, options, flow)
