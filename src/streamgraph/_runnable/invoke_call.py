"""`invoke` and `ainvoke` of a graph or workflow, with the type of the output."""

# ruff: noqa: A002  (`input` is the name that the field uses)
from __future__ import annotations

from typing import Any, List, Optional, Tuple, cast, overload

from langchain_core.runnables import RunnableConfig
from typing_extensions import Literal, Unpack

from streamgraph._keywords import CHECKPOINT_DURING, renamed_keywords, takes_options
from streamgraph._runnable.astream_call import AsyncStreamRunnable
from streamgraph._runnable.flow_options import check_flow_control
from streamgraph._runnable.options import Subscription, output_only, saving_options
from streamgraph._runnable.stream_options import (
    DEFAULTS,
    Config,
    ContextT,
    GivenT,
    InvokeKeywords,
    InvokeOptions,
    KeyedT,
    Message,
    ModePair,
    Object,
    OtherMode,
    OutputKeywords,
    OutputT,
    Patch,
    Record,
    SeveralModes,
    StateT,
    StreamOptions,
    Updates,
    Values,
)
from streamgraph._streams.flow import FlowControl
from streamgraph._types import GraphOutput
from streamgraph.types import DebugPayload, StreamPart, TaskPayload, ToolPayload


class InvokeRunnable(AsyncStreamRunnable[GivenT, ContextT, StateT, OutputT, KeyedT]):
    """A graph or workflow with `invoke` and `ainvoke`."""

    @overload  # type: ignore[override]
    def invoke(
        self: InvokeRunnable[GivenT, ContextT, Any, Record, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"] = "values",
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> Values: ...

    @overload
    def invoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"] = "values",
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> OutputT: ...

    @overload
    def invoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"] = "values",
        **options: Unpack[OutputKeywords[ContextT]],
    ) -> GraphOutput[OutputT]: ...

    @overload
    def invoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: OtherMode,
        **options: Unpack[OutputKeywords[ContextT]],
    ) -> List[StreamPart[StateT, OutputT]]: ...

    @overload
    def invoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["messages"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[Message]: ...

    @overload
    def invoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["updates"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[Updates]: ...

    @overload
    def invoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["patches"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[Patch]: ...

    @overload
    def invoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["objects"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[Object]: ...

    @overload
    def invoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tools"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[ToolPayload]: ...

    @overload
    def invoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tasks"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[TaskPayload]: ...

    @overload
    def invoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["debug"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[DebugPayload]: ...

    @overload
    def invoke(
        self: InvokeRunnable[GivenT, ContextT, Record, Any, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[ModePair[Values]]: ...

    @overload
    def invoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[ModePair[StateT]]: ...

    @overload
    def invoke(self, input: GivenT, config: Config = None, **options: Unpack[InvokeOptions[ContextT]]) -> Any: ...

    @renamed_keywords(checkpoint_during=CHECKPOINT_DURING)
    @takes_options(InvokeOptions, **DEFAULTS, stream_mode="values")
    def invoke(self, input: Any, config: Optional[RunnableConfig] = None, **options: Unpack[InvokeOptions[Any]]) -> Any:
        """Run the graph to its end and return its output.

        Args:
            input: See `stream`.
            config: See `stream`.
            context: See `stream`.
            stream_mode: `"values"` returns the final state; any other mode, a list of the chunks of that stream.
            print_mode: See `stream`.
            output_keys: The keys to return, by default those of the output schema; a single key returns its bare value.
            subgraphs: See `stream`; only for a list of chunks.
            debug: See `stream`.
            interrupt_before: See `stream`.
            interrupt_after: See `stream`.
            durability: See `stream`.
            multitask_strategy: See `stream`.
            control: See `stream`.
            timeout: See `stream`.
            version: `"v2"` returns a `GraphOutput` instead of a dict.

        Returns:
            The final state as a dict of the output schema's keys, or `None` if nothing was ever written.

        Raises:
            GraphRecursionError: The run took more steps than its `recursion_limit`.
            Exception: An exception raised by a node, unchanged.
        """
        if options.get("stream_mode", "values") != "values":
            return list(self._open(input, config, options.get("context"), *self._read_several(options)))
        output = self._open(input, config, options.get("context"), *self._read_one(options)).run()
        return self._as_output(output, options.get("version", "v1"))

    def _read_one(self, options: InvokeOptions[Any]) -> Tuple[Subscription, FlowControl]:
        """Validate the options of a call that returns the output."""
        keys = self._shown_keys(options.get("output_keys"))
        flow = check_flow_control(timeout=options.get("timeout"), step_timeout=self.step_timeout)
        quiet = output_only(
            self._plan,
            print_mode=self._print_mode(options.get("print_mode", ()), options.get("debug")),
            version=options.get("version", "v1"),
            output_keys=keys,
            control=options.get("control"),
            saving=saving_options(
                options.get("durability"),
                options.get("multitask_strategy"),
                options.get("interrupt_before"),
                options.get("interrupt_after"),
                self._plan,
            ),
        )
        return quiet, flow

    def _read_several(self, options: InvokeOptions[Any]) -> Tuple[Subscription, FlowControl]:
        """Validate the options of a call that returns all chunks of a stream."""
        keys = self._shown_keys(options.get("output_keys"))
        if keys is None and self._stream_keys is not None:
            keys = tuple(self._plan.channels)
        return self._read(cast("StreamOptions[Any]", {**options, "output_keys": keys}))

    @overload  # type: ignore[override]
    async def ainvoke(
        self: InvokeRunnable[GivenT, ContextT, Any, Record, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"] = "values",
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> Values: ...

    @overload
    async def ainvoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"] = "values",
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> OutputT: ...

    @overload
    async def ainvoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"] = "values",
        **options: Unpack[OutputKeywords[ContextT]],
    ) -> GraphOutput[OutputT]: ...

    @overload
    async def ainvoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: OtherMode,
        **options: Unpack[OutputKeywords[ContextT]],
    ) -> List[StreamPart[StateT, OutputT]]: ...

    @overload
    async def ainvoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["messages"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[Message]: ...

    @overload
    async def ainvoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["updates"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[Updates]: ...

    @overload
    async def ainvoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["patches"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[Patch]: ...

    @overload
    async def ainvoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["objects"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[Object]: ...

    @overload
    async def ainvoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tools"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[ToolPayload]: ...

    @overload
    async def ainvoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tasks"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[TaskPayload]: ...

    @overload
    async def ainvoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["debug"],
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[DebugPayload]: ...

    @overload
    async def ainvoke(
        self: InvokeRunnable[GivenT, ContextT, Record, Any, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[ModePair[Values]]: ...

    @overload
    async def ainvoke(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[InvokeKeywords[ContextT]],
    ) -> List[ModePair[StateT]]: ...

    @overload
    async def ainvoke(
        self, input: GivenT, config: Config = None, **options: Unpack[InvokeOptions[ContextT]]
    ) -> Any: ...

    @renamed_keywords(checkpoint_during=CHECKPOINT_DURING)
    @takes_options(InvokeOptions, **DEFAULTS, stream_mode="values")
    async def ainvoke(
        self, input: Any, config: Optional[RunnableConfig] = None, **options: Unpack[InvokeOptions[Any]]
    ) -> Any:
        """Run the graph to its end on the event loop; see `invoke`."""
        if options.get("stream_mode", "values") != "values":
            stream = self._aopen(input, config, options.get("context"), *self._read_several(options))
            return [chunk async for chunk in stream]
        output = await self._aopen(input, config, options.get("context"), *self._read_one(options)).run()
        return self._as_output(output, options.get("version", "v1"))
