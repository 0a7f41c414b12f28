"""`astream` of a graph or workflow, with the type of its chunks for each mode."""

# ruff: noqa: A002  (`input` is the name that the field uses)
from __future__ import annotations

from typing import Any, Optional, Tuple, overload

from langchain_core.runnables import RunnableConfig
from typing_extensions import Literal, Unpack

from streamgraph._drivers.driver_asyncio import AsyncGraphStream
from streamgraph._keywords import CHECKPOINT_DURING, renamed_keywords, takes_options
from streamgraph._runnable.options import Keys
from streamgraph._runnable.stream_call import StreamRunnable
from streamgraph._runnable.stream_options import (
    DEFAULTS,
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
    Patch,
    Record,
    SeveralModes,
    StateT,
    StreamOptions,
    Updates,
    Values,
)
from streamgraph.types import DebugPayload, StreamPart, TaskPayload, ToolPayload


class AsyncStreamRunnable(StreamRunnable[GivenT, ContextT, StateT, OutputT, KeyedT]):
    """A graph or workflow with `astream`."""

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
        stream_mode: Literal["patches"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> AsyncGraphStream[Patch]: ...

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
        stream_mode: Literal["patches"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> AsyncGraphStream[Tuple[Namespace, Patch]]: ...

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
        self, input: GivenT, config: Config = None, **options: Unpack[StreamOptions[ContextT]]
    ) -> AsyncGraphStream[Any]: ...

    @renamed_keywords(checkpoint_during=CHECKPOINT_DURING)
    @takes_options(StreamOptions, **DEFAULTS)
    def astream(
        self, input: Any, config: Optional[RunnableConfig] = None, **options: Unpack[StreamOptions[Any]]
    ) -> AsyncGraphStream[Any]:
        """Run the graph on the event loop and yield chunks as they are produced.

        Sync nodes run in threads, so that they do not block the loop. Arguments, chunks and errors are those of
        `stream`.

        Returns:
            An async iterator of chunks. It can also be closed (`aclose`), is an async context manager, and has the
            final state as `.output` at the end.
        """
        subscription, flow = self._read(options)
        stream = self._aopen(input, config, options.get("context"), subscription, flow)
        stream.form = subscription
        return stream
