"""What graphs and functional workflows have in common: they are Runnables that run and stream."""

from __future__ import annotations

from typing import Any, AsyncIterator, Iterator, Optional

from langchain_core.runnables import RunnableConfig
from typing_extensions import Literal

from streamgraph._core.control import RunControl
from streamgraph._drivers.driver_asyncio import AsyncGraphStream
from streamgraph._drivers.driver_threads import GraphStream
from streamgraph._keywords import checked_keywords
from streamgraph._policies import Seconds
from streamgraph._runnable.base import GraphBase, Keys
from streamgraph._runnable.chunks import UpdatesChunk, added_up
from streamgraph._runnable.filter_options import Names, make_filter
from streamgraph._runnable.flow_options import check_flow_control
from streamgraph._runnable.options import Modes
from streamgraph._runnable.subgraphs import known_names
from streamgraph._runnable.unsupported import refuse
from streamgraph._streams.filters import Filter
from streamgraph._streams.flow import Overflow
from streamgraph._types import Durability
from streamgraph.errors import UnknownOptionError


class GraphRunnable(GraphBase):
    """A graph or workflow, ready to run: the calls that run it."""

    def _filter(self, *, include_raw: bool, **given: Names) -> Optional[Filter]:
        if not isinstance(include_raw, bool):
            raise UnknownOptionError(f"include_raw must be True or False, got {include_raw!r:.80}")
        if include_raw and not any(names is not None for names in given.values()):
            return None
        return make_filter(known_names(self), include_raw=include_raw, **given)

    # The signatures below are LangGraph's; langchain-core's take **kwargs, which would swallow what is misspelt.

    @checked_keywords
    def stream(  # type: ignore[override]
        self,
        input: Any,  # noqa: A002  (the field's name everywhere)
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
    ) -> GraphStream[Any]:
        """Run the graph and yield what happens, as it happens.

        The options are checked at once; the run starts with the first pull, and a new step only starts
        when the chunks of the last one have been taken.

        Args:
            input: The state to start with: a mapping with some of the keys, or a state object.
            config: Tags, metadata, callbacks, `recursion_limit`, `max_concurrency`, `configurable`.
            context: An object that nodes find in `Runtime.context`.
            stream_mode: What to yield, a mode or a list of modes:

                - `"values"`: the state after each step.
                - `"updates"`: what each node wrote, as `{node: update}`. The default.
                - `"custom"`: what nodes and tools hand to their stream writer.
                - `"messages"`: `(chunk, metadata)` for each token of a chat model, and for each other
                  message that a node writes.
                - `"objects"`: `(object, metadata)` while a model answers with structured output: ever more of the
                  object, and in the end the object that the node gets.
                - `"tools"`: tool calls that start, report and end.
                - `"tasks"`: tasks that start and end.
                - `"debug"`: the same, with step and time.
            print_mode: Modes to print, besides what is yielded.
            output_keys: The state keys that `values` and `updates` show; with a single one its bare value.
            subgraphs: `True`: every mode also for nested graphs, with the namespace in front. `False`:
                nothing of nested graphs. `None`: tokens and custom data of nested graphs, without namespace.
            debug: `True` prints `updates` and `values`; by default what `compile` was told.
            interrupt_before: `None`: runs cannot be interrupted yet.
            interrupt_after: `None`, likewise.
            durability: When runs are saved; without a checkpointer they are not.
            control: Through which the run can be asked to end after a step.
            include_nodes: Only what comes from these nodes, in every mode but `values`. A name or several, also as
                shell-style patterns. What is filtered out is never made.
            exclude_nodes: Not what comes from these nodes.
            include_tags: Only messages of models with one of these tags.
            exclude_tags: No messages of models with one of these tags.
            include_keys: Of the messages that nodes write to the state, only those of these keys.
            exclude_keys: No messages that nodes write to these keys.
            include_raw: `False` leaves the JSON of models that answer with structured output out of `messages`;
                `objects` shows what it says.
            max_buffer: How many chunks may wait for a slow consumer; `None` for any number.
            overflow: What happens when there are more:

                - `"block"`: who makes them waits. (The writer of an async node cannot wait; see `Runtime.caught_up`.)
                - `"drop_oldest"`: the oldest go, and a `Gap` in their place says how many.
                - `"coalesce"`: tokens of one message that follow each other become one; what cannot, waits.
                - `"raise"`: the run fails with `StreamOverflowError`.
            heartbeat: Seconds without a chunk, or a `timedelta`, after which a `Heartbeat` says what is running; `None`
                for never.
            timeout: Seconds, or a `timedelta`, that the whole run may take before it fails with `RunTimeoutError`.
            version: `"v1"`: a payload; with a list of modes `(mode, payload)`; with `subgraphs=True` the
                namespace in front. `"v2"`: always `{"type": mode, "ns": namespace, "data": payload}`.

        Returns:
            An iterator of chunks that can also be closed, is a context manager, and has the final state as
            `.output` in the end.

        Raises:
            UnknownOptionError: A mode, version or key does not exist.
            UnknownKeywordError: A keyword does not exist.
            EmptyInputError: The input is `None`.
            InvalidUpdateError: The input does not fit the state.
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
        return GraphStream(self._session(input, config, context, options, asynchronous=False), flow)

    @checked_keywords
    def astream(  # type: ignore[override]
        self,
        input: Any,  # noqa: A002
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
        return AsyncGraphStream(self._session(input, config, context, options, asynchronous=True), flow)

    @checked_keywords
    def invoke(  # type: ignore[override]
        self,
        input: Any,  # noqa: A002
        config: Optional[RunnableConfig] = None,
        *,
        context: Any = None,
        stream_mode: Modes = "values",
        print_mode: Modes = (),
        output_keys: Keys = None,
        subgraphs: Optional[bool] = None,
        debug: Optional[bool] = None,
        interrupt_before: None = None,
        interrupt_after: None = None,
        durability: Optional[Durability] = None,
        control: Optional[RunControl] = None,
        timeout: Optional[Seconds] = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> Any:
        """Run the graph to its end.

        Args:
            input: See `stream`.
            config: See `stream`.
            context: See `stream`.
            stream_mode: `"values"` for the final state; any other for a list of the chunks of that stream.
            print_mode: See `stream`.
            output_keys: The keys to return, if not all of the output schema; with a single one its bare value.
            subgraphs: See `stream`; only for a list of chunks.
            debug: See `stream`.
            interrupt_before: See `stream`.
            interrupt_after: See `stream`.
            durability: See `stream`.
            control: See `stream`.
            timeout: See `stream`.
            version: `"v2"` for a `GraphOutput` instead of a dict.

        Returns:
            The final state as a dict of the output schema's keys, `None` if nothing was ever written.

        Raises:
            GraphRecursionError: The run took more steps than its `recursion_limit`.
            Exception: Whatever a node raised, unchanged.
        """
        refuse(interrupt_before=interrupt_before, interrupt_after=interrupt_after)
        keys, flow = self._shown_keys(output_keys), check_flow_control(timeout=timeout)
        if stream_mode != "values":
            options = self._options(stream_mode, print_mode, keys, subgraphs, debug, version, control)
            return list(GraphStream(self._session(input, config, context, options, asynchronous=False), flow))
        quiet = self._quiet_options(print_mode, keys, debug, version, control)
        output = GraphStream(self._session(input, config, context, quiet, asynchronous=False), flow).run()
        return self._as_output(output, version)

    @checked_keywords
    async def ainvoke(  # type: ignore[override]
        self,
        input: Any,  # noqa: A002
        config: Optional[RunnableConfig] = None,
        *,
        context: Any = None,
        stream_mode: Modes = "values",
        print_mode: Modes = (),
        output_keys: Keys = None,
        subgraphs: Optional[bool] = None,
        debug: Optional[bool] = None,
        interrupt_before: None = None,
        interrupt_after: None = None,
        durability: Optional[Durability] = None,
        control: Optional[RunControl] = None,
        timeout: Optional[Seconds] = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> Any:
        """Run the graph to its end on the event loop; see `invoke`."""
        refuse(interrupt_before=interrupt_before, interrupt_after=interrupt_after)
        keys, flow = self._shown_keys(output_keys), check_flow_control(timeout=timeout)
        if stream_mode != "values":
            options = self._options(stream_mode, print_mode, keys, subgraphs, debug, version, control)
            stream: AsyncGraphStream[Any] = AsyncGraphStream(
                self._session(input, config, context, options, asynchronous=True), flow
            )
            return [chunk async for chunk in stream]
        quiet = self._quiet_options(print_mode, keys, debug, version, control)
        output = await AsyncGraphStream(self._session(input, config, context, quiet, asynchronous=True), flow).run()
        return self._as_output(output, version)

    def transform(self, input: Iterator[Any], config: Optional[RunnableConfig] = None, **kwargs: Any) -> Iterator[Any]:  # noqa: A002
        """Stream as a step of a chain.

        Yields what `stream` does and, unless a mode was asked for, an empty last chunk: the chunks add up to
        the final state, which is what the next step gets.
        """
        stream = self.stream(added_up(list(input)), config, **kwargs)
        with stream:
            if "stream_mode" in kwargs:
                yield from stream
            else:
                yield from map(UpdatesChunk, stream)
                yield UpdatesChunk(output=stream.output)

    async def atransform(
        self,
        input: AsyncIterator[Any],  # noqa: A002
        config: Optional[RunnableConfig] = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        """Stream as a step of a chain, on the event loop; see `transform`."""
        stream = self.astream(added_up([chunk async for chunk in input]), config, **kwargs)
        async with stream:
            if "stream_mode" in kwargs:
                async for chunk in stream:
                    yield chunk
            else:
                async for chunk in stream:
                    yield UpdatesChunk(chunk)
                yield UpdatesChunk(output=stream.output)
