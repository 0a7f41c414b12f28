"""`stream` of a graph or workflow, with the type of its chunks for each mode."""

# ruff: noqa: A002  (`input` is the name that the field uses)
from __future__ import annotations

from typing import Any, Generic, Optional, Tuple, overload

from langchain_core.runnables import RunnableConfig
from typing_extensions import Literal, Unpack

from streamgraph._drivers.driver_threads import GraphStream
from streamgraph._keywords import CHECKPOINT_DURING, renamed_keywords, takes_options
from streamgraph._runnable.base import GraphBase
from streamgraph._runnable.options import Keys, Subscription
from streamgraph._runnable.reading import read_options
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
from streamgraph._streams.flow import FlowControl
from streamgraph.types import DebugPayload, StreamPart, TaskPayload, ToolPayload


class StreamRunnable(GraphBase, Generic[GivenT, ContextT, StateT, OutputT, KeyedT]):
    """A graph or workflow with `stream`."""

    def _read(self, options: StreamOptions[Any]) -> Tuple[Subscription, FlowControl]:
        """Check the options of a call that streams."""
        return read_options(self, options)

    # The signatures below are LangGraph's; langchain-core's take **kwargs, which would swallow what is misspelt.

    @overload  # type: ignore[override]
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["messages"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> GraphStream[Message]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Optional[Literal["updates"]] = None,
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> GraphStream[Updates]: ...

    @overload
    def stream(
        self: StreamRunnable[GivenT, ContextT, Record, Any, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> GraphStream[Values]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> GraphStream[StateT]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["patches"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> GraphStream[Patch]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["objects"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> GraphStream[Object]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tools"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> GraphStream[ToolPayload]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tasks"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> GraphStream[TaskPayload]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["debug"],
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> GraphStream[DebugPayload]: ...

    @overload
    def stream(
        self: StreamRunnable[GivenT, ContextT, Record, Any, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> GraphStream[ModePair[Values]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[ChunkKeywords[ContextT]],
    ) -> GraphStream[ModePair[StateT]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["messages"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[Tuple[Namespace, Message]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Optional[Literal["updates"]] = None,
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[Tuple[Namespace, Updates]]: ...

    @overload
    def stream(
        self: StreamRunnable[GivenT, ContextT, Record, Any, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[Tuple[Namespace, Values]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["values"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[Tuple[Namespace, StateT]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["patches"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[Tuple[Namespace, Patch]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["objects"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[Tuple[Namespace, Object]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tools"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[Tuple[Namespace, ToolPayload]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["tasks"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[Tuple[Namespace, TaskPayload]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["debug"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[Tuple[Namespace, DebugPayload]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: Literal["custom"],
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[Tuple[Namespace, Any]]: ...

    @overload
    def stream(
        self: StreamRunnable[GivenT, ContextT, Record, Any, Literal[True]],
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[NamespacedPair[Values]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        stream_mode: SeveralModes,
        **options: Unpack[NamespacedKeywords[ContextT]],
    ) -> GraphStream[NamespacedPair[StateT]]: ...

    @overload
    def stream(
        self,
        input: GivenT,
        config: Config = None,
        *,
        output_keys: None = None,
        **options: Unpack[PartKeywords[ContextT]],
    ) -> GraphStream[StreamPart[StateT, OutputT]]: ...

    @overload
    def stream(
        self, input: GivenT, config: Config = None, *, output_keys: Keys, **options: Unpack[PartKeywords[ContextT]]
    ) -> GraphStream[StreamPart[Any, Any]]: ...

    @overload
    def stream(
        self, input: GivenT, config: Config = None, **options: Unpack[StreamOptions[ContextT]]
    ) -> GraphStream[Any]: ...

    @renamed_keywords(checkpoint_during=CHECKPOINT_DURING)
    @takes_options(StreamOptions, **DEFAULTS)
    def stream(
        self, input: Any, config: Optional[RunnableConfig] = None, **options: Unpack[StreamOptions[Any]]
    ) -> GraphStream[Any]:
        """Run the graph and yield chunks as they are produced.

        The options are validated immediately. The run starts with the first pull, and a new step starts only after the
        chunks of the previous one have been consumed.

        Args:
            input: The initial state: a mapping with some of the keys, or a state object.
            config: Tags, metadata, callbacks, `recursion_limit`, `max_concurrency`, `configurable`.
            context: An object that nodes get as `Runtime.context`.
            stream_mode: The mode or modes to yield:

                - `"values"`: the state after each step.
                - `"patches"`: what each step changes in the state, as JSON patches (RFC 6902); the first one is the
                  whole state. Applied one after another they make the chunks of `values`.
                - `"updates"`: the writes of each node, as `{node: update}`. The default.
                - `"custom"`: values that nodes and tools pass to their stream writer.
                - `"messages"`: `(chunk, metadata)` for each token of a chat model, and for each other
                  message that a node writes.
                - `"objects"`: `(object, metadata)` while a model produces structured output: the partial object as it
                  grows, and at the end the object that the node gets.
                - `"tools"`: start, progress and end of tool calls.
                - `"retries"`: attempts that have failed and after which a node is tried again.
                - `"tasks"`: start and end of tasks.
                - `"debug"`: the events of `tasks` with step and time.
            print_mode: Modes to print, in addition to the chunks that are yielded.
            output_keys: The state keys that `values` and `updates` show; a single key yields its bare value.
            subgraphs: `True`: every mode also for nested graphs, with the namespace in front. `False`: no parts of
                nested graphs. `None`: tokens and custom data of nested graphs, without namespace.
            debug: `True` prints `updates` and `values`; by default the setting given to `compile`.
            interrupt_before: Nodes before which the run pauses, or `"*"` for all; by default those of the graph. It
                ends there, and goes on with the input `None` if it is saved.
            interrupt_after: Nodes after which it pauses.
            durability: When to save the run; ignored without a checkpointer.
            multitask_strategy: What to do if its thread has a run already: `"reject"` it, which is the default, or
                `"enqueue"` it.
            control: A handle to request that the run ends after a step.
            include_nodes: Show only parts from these nodes, in every mode except `values` and `patches`. A name or
                several, also as shell-style patterns. Parts that are filtered out are never created.
            exclude_nodes: Hide parts from these nodes.
            include_tags: Show only messages of models with one of these tags.
            exclude_tags: Hide messages of models with one of these tags.
            include_keys: Of the messages that nodes write to the state, show only those under these keys.
            exclude_keys: Hide messages that nodes write to these keys.
            include_raw: `False` hides the JSON of models with structured output in `messages`; `objects` shows its
                content.
            interrupts: What a question of a node does: it ends the run (`"pause"`, the default), or waits until it is
                answered with `answer()` of the stream while the run goes on (`"live"`).
            max_buffer: Number of chunks that may wait for a slow consumer; `None` for no limit.
            overflow: The policy when more chunks wait:

                - `"block"`: the producer waits. (The writer of an async node cannot wait; see `Runtime.caught_up`.)
                - `"drop_oldest"`: the oldest chunks are dropped, and a `Gap` in their place carries their number.
                - `"coalesce"`: consecutive tokens of one message are merged; for other chunks the producer waits.
                - `"raise"`: the run fails with `StreamOverflowError`.
            heartbeat: Seconds without a chunk, or a `timedelta`, after which a `Heartbeat` lists the running tasks;
                `None` for no heartbeats.
            timeout: Limit of the whole run in seconds or as a `timedelta`; at the limit it fails with
                `RunTimeoutError`.
            version: `"v1"`: the payload; with a list of modes `(mode, payload)`; with `subgraphs=True` the namespace in
                front. `"v2"`: always `{"type": mode, "ns": namespace, "data": payload}`.

        Returns:
            An iterator of chunks. It can also be closed, is a context manager, and has the final state as `.output` at
            the end.

        Raises:
            UnknownOptionError: A mode, version or key does not exist.
            UnknownKeywordError: A keyword does not exist.
            EmptyInputError: The input is `None`.
            InvalidUpdateError: The input does not fit the state.
        """
        subscription, flow = self._read(options)
        stream = self._open(input, config, options.get("context"), subscription, flow)
        stream.form = subscription
        return stream
