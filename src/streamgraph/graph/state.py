"""Builder of a graph: state, nodes and edges."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Dict, Generic, Hashable, List, Mapping, Optional, Sequence, Set, Type, Union

from typing_extensions import Literal, Self

from streamgraph._core.plan import Channel
from streamgraph._execution.cache import check_cache
from streamgraph._keywords import CONFIG_SCHEMA, INPUT, OUTPUT, RETRY, checked_keywords, renamed_keywords
from streamgraph._langchain.nodes import bound_config, is_node_like, name_of, takes_no_input
from streamgraph._policies import CachePolicy, RetryPolicy, TimeoutPolicy, TracePolicy
from streamgraph._runnable.channel_marks import merged_channels
from streamgraph._runnable.schema import Hint, Schema, read_schema
from streamgraph._runnable.settings import checked_storage
from streamgraph._snapshots import Checkpointer, ensure_valid_checkpointer
from streamgraph._types import All, Storage
from streamgraph.constants import END, START
from streamgraph.errors import GraphBuildError, NodeNameError, UnknownNodeError
from streamgraph.graph._annotations import literal_results
from streamgraph.graph._compiler import JoinSpec, Planner, branch_input, node_input
from streamgraph.graph._names import checked_name
from streamgraph.graph._specs import (
    DEFAULT_HANDLER,
    BranchSpec,
    NodeOptions,
    NodeSpec,
    OutEdges,
    handler_name,
    node_options,
    read_destinations,
    sequence_name,
)
from streamgraph.graph._validation import check_edges, end_schema
from streamgraph.graph._views import BuilderViews
from streamgraph.graph.compiled import CompiledStateGraph, ContextT, InputT, OutputT, StateT
from streamgraph.stream._mux import TransformerFactory
from streamgraph.stream._types import checked_factories

__all__ = ["StateGraph"]


class StateGraph(BuilderViews, Generic[StateT, ContextT, InputT, OutputT]):
    """Builder of a graph whose nodes read and update a common state.

    Methods that add something return the builder, so calls can be chained. `compile` checks the whole graph and returns
    a Runnable::

        graph = (
            StateGraph(State)
            .add_node(write)
            .add_edge(START, "write")
            .compile()
        )

    Args:
        state_schema: A TypedDict, dataclass or pydantic model whose fields are the keys of the state. A key annotated
            as `Annotated[type, reducer]` combines writes with `reducer(current, update)`, one annotated with a channel
            class does what the class says (`streamgraph.channels`); any other key takes one write per step. With any
            other type the state is a single value.
        context_schema: The class of the object passed to a run as `context=`.
        input_schema: The keys that the graph takes as input; by default all.
        output_schema: The keys that `invoke` returns; by default all.

    Raises:
        StateSchemaError: A schema cannot be used.
    """

    @renamed_keywords(config_schema=CONFIG_SCHEMA, input=INPUT, output=OUTPUT)
    def __init__(
        self,
        state_schema: Type[StateT],
        context_schema: Optional[Type[ContextT]] = None,
        *,
        input_schema: Optional[Type[InputT]] = None,
        output_schema: Optional[Type[OutputT]] = None,
    ) -> None:
        self.state_schema = state_schema
        self.context_schema = context_schema
        self.input_schema: Any = state_schema if input_schema is None else input_schema
        self.output_schema: Any = state_schema if output_schema is None else output_schema
        self.nodes = {}
        self.compiled = False
        self._schema = read_schema(state_schema)
        self._input = end_schema(input_schema, self._schema)
        self._output = end_schema(output_schema, self._schema)
        self._schemas: Dict[Hint, Schema] = {}
        self._channels: Mapping[str, Channel] = {}
        self._outgoing: Dict[str, OutEdges] = {}
        self._joins: List[JoinSpec] = []
        self._defaults = NodeOptions()
        # Names under which error handlers appear in streams.
        self._handlers: Set[str] = set()
        for schema in (self._schema, self._input, self._output):
            self._add_channels(schema)

    @renamed_keywords(input=INPUT, retry=RETRY)
    def add_node(
        self,
        node: object,
        action: object = None,
        *,
        defer: bool = False,
        metadata: Optional[Mapping[str, object]] = None,
        input_schema: Optional[Hint] = None,
        retry_policy: Union[RetryPolicy, Sequence[RetryPolicy], None] = None,
        cache_policy: Optional[CachePolicy] = None,
        error_handler: object = None,
        destinations: Union[Mapping[str, str], Sequence[str], None] = None,
        timeout: Union[float, timedelta, TimeoutPolicy, None] = None,
        trace_policy: Optional[TracePolicy] = None,
    ) -> Self:
        """Add a node.

        Args:
            node: The node's name, or the node itself to take the name from it.
            action: The node: a function (sync or async, also a generator function), a method, a callable object, any
                Runnable, a chain, a compiled graph, or a dict of these. It gets the state and returns an update. The
                parameters `config`, `writer`, `runtime` and `store` of a function are filled in by name.
            defer: Run the node only when nothing else is left to run.
            metadata: Metadata for everything that runs in the node.
            input_schema: The schema of the node's input; by default the annotation of the function's first parameter if
                that is a class with type hints, else the whole state. Keys that the state does not have are added to
                it.
            retry_policy: When to retry the node after a failure. Of several policies the first one that matches the
                error applies.
            cache_policy: Store results in the `cache` given to `compile`, and reuse them for the same input.
            error_handler: A function called in place of the node after its last failed attempt, with the same input and
                a `NodeError` for its parameter `error`. It returns an update; the run continues only at the targets of
                its `Command(goto=...)`.
            destinations: Targets of the node's `Command`s, for drawings: names, or names and labels.
            timeout: The limit of one attempt: seconds, a `timedelta` or a `TimeoutPolicy`. At the limit an async node
                is cancelled; a sync node cannot be, and stops at its next token or writer call.
            trace_policy: What tracers record of the node's input and output.

        Raises:
            TypeError: The node is not callable, or a policy is of another type.
            GraphBuildError: A time is not positive.
            NodeNameError: The name is taken, reserved or malformed.
        """
        name, target = (node, action) if isinstance(node, str) else (name_of(node), node)
        if action is not None and not isinstance(node, str):
            raise TypeError(f"add_node() takes a name and an action, or an action alone; got {node!r} as the name.")
        if target is None or not is_node_like(target):
            raise TypeError(
                f"Node {name!r} is not callable: {target!r}. Give a function, a Runnable or a dict of these"
                f"{', as in add_node(name, function)' if target is None else ''}."
            )
        if takes_no_input(target):
            raise TypeError(f"Node {name!r} takes no argument, but a node is called with the state.")
        name = checked_name(name, target, self._handlers if name in self._handlers else self.nodes)
        how = node_options(retry_policy, cache_policy, error_handler, timeout, trace_policy)
        if error_handler is not None:
            self._check_free(handler_name(name))
        schema = read_schema(input_schema) if input_schema is not None else node_input(target, self.state_schema)
        if schema is not None:
            self._add_channels(schema)
        if error_handler is not None:
            self._handlers.add(handler_name(name))
        tags, bound = bound_config(target)
        self.nodes[name] = NodeSpec(
            target, schema, defer, {**bound, **(metadata or {})}, tags, how, read_destinations(destinations)
        )
        return self

    @checked_keywords
    def set_node_defaults(
        self,
        *,
        retry_policy: Union[RetryPolicy, Sequence[RetryPolicy], None] = None,
        cache_policy: Optional[CachePolicy] = None,
        error_handler: object = None,
        timeout: Union[float, timedelta, TimeoutPolicy, None] = None,
    ) -> Self:
        """Set default policies for nodes that do not define their own.

        The defaults also apply to nodes that were added before the call.

        Args:
            retry_policy: See `add_node`.
            cache_policy: See `add_node`.
            error_handler: See `add_node`; it appears in streams as `__default_error_handler__`.
            timeout: See `add_node`.
        """
        given = node_options(retry_policy, cache_policy, error_handler, timeout)
        if error_handler is not None:
            self._check_free(DEFAULT_HANDLER)
            self._handlers.add(DEFAULT_HANDLER)
        self._defaults = given.over(self._defaults)
        return self

    @checked_keywords
    def add_edge(self, start_key: Union[str, Sequence[str]], end_key: str) -> Self:
        """Add an edge: `end_key` runs in the step after `start_key`.

        Args:
            start_key: The source node, or `START`. A list of nodes makes one edge that waits for all of them.
            end_key: The target node, or `END`.

        Raises:
            UnknownNodeError: The start is `END`, or the end is `START`. Other names are checked by `compile`, because
                nodes may be added later.
        """
        if end_key == START:
            raise UnknownNodeError("START cannot be an end node", hint="Nothing comes before START.")
        if isinstance(start_key, str):
            self._check_source(start_key)
            if end_key not in self._leaving(start_key).edges:
                self._leaving(start_key).edges.append(end_key)
            return self
        sources = tuple(start_key)
        if not sources:
            raise UnknownNodeError(f"The edge to {end_key!r} has no start", hint="Name at least one node.")
        for source in sources:
            self._check_source(source)
            if source == START:
                raise UnknownNodeError("START cannot be one of several starts of an edge", hint="Leave it out.")
        if (sources, end_key) not in self._joins:
            self._joins.append((sources, end_key))
        return self

    @checked_keywords
    def add_conditional_edges(
        self,
        source: str,
        path: object,
        path_map: Union[Mapping[Hashable, str], Sequence[str], None] = None,
    ) -> Self:
        """Add a branch: a function that chooses the next nodes after `source`.

        Args:
            source: The node that the branch follows, or `START`.
            path: A function (sync or async) or Runnable. It gets the state, including the writes of `source`, and
                returns the name of the next node, `END`, a `Send`, or a list of these.
            path_map: Results of `path` -> node names, or a list of the names that it can return. A return annotation
                `Literal["a", "b"]` is equivalent to such a list.

        Raises:
            TypeError: The path is not callable.
            GraphBuildError: The source already has a branch of this name.
        """
        if not is_node_like(path):
            raise TypeError(f"The path of a conditional edge from {source!r} is not callable: {path!r}.")
        self._check_source(source)
        name = name_of(path) or "condition"
        taken = {branch.name for branch in self._leaving(source).branches}
        if name in taken and name != "<lambda>":
            raise GraphBuildError(
                f"Branch with name `{name}` already exists for node `{source}`",
                hint="Give the second function another name.",
            )
        if path_map is None:
            path_map = literal_results(path)
        targets = path_map if path_map is None or isinstance(path_map, Mapping) else {item: item for item in path_map}
        schema = branch_input(path, self.state_schema)
        if schema is not None:
            self._add_channels(schema)
        self._leaving(source).branches.append(BranchSpec(name, path, schema, targets))
        return self

    @checked_keywords
    def add_sequence(self, nodes: Sequence[object]) -> Self:
        """Add nodes that run one after the other.

        Args:
            nodes: Nodes, or pairs of a name and a node.

        Raises:
            ValueError: The sequence is empty.
        """
        if not nodes:
            raise GraphBuildError(
                "Sequence requires at least one node", hint="Give nodes, or pairs of a name and a node."
            )
        # Runnables are named by their class here, unlike in `add_node`: as in LangGraph.
        named = [item if isinstance(item, tuple) else (sequence_name(item), item) for item in nodes]
        before = (dict(self.nodes), self._channels)
        try:
            for name, target in named:
                self.add_node(name, target)
        except Exception:
            self.nodes, self._channels = before
            raise
        for (source, _), (target, _) in zip(named, named[1:]):
            self.add_edge(source, target)
        return self

    def set_entry_point(self, key: str) -> Self:
        """Add an edge from `START` to this node."""
        return self.add_edge(START, key)

    def set_conditional_entry_point(
        self, path: object, path_map: Union[Mapping[Hashable, str], Sequence[str], None] = None
    ) -> Self:
        """Add a conditional edge from `START`."""
        return self.add_conditional_edges(START, path, path_map)

    def set_finish_point(self, key: str) -> Self:
        """Add an edge from this node to `END`."""
        return self.add_edge(key, END)

    def validate(self, interrupt: Optional[Sequence[str]] = None) -> Self:
        """Check that the graph has an entry point and that all edges and branches connect known nodes.

        Args:
            interrupt: Further names that have to be those of nodes: where a run is to be interrupted.

        Raises:
            GraphBuildError: The graph has no entry point.
            UnknownNodeError: An edge, a branch or `interrupt` names an unknown node.
        """
        check_edges(self.nodes, self._outgoing, self._joins, interrupt or ())
        return self

    @checked_keywords
    def compile(
        self,
        checkpointer: Checkpointer = None,
        *,
        cache: object = None,
        store: object = None,
        interrupt_before: Union[All, Sequence[str], None] = None,
        interrupt_after: Union[All, Sequence[str], None] = None,
        debug: Union[bool, Literal["mutations"]] = False,
        name: Optional[str] = None,
        transformers: Optional[Sequence[TransformerFactory]] = None,
        storage: Optional[Storage] = None,
    ) -> CompiledStateGraph[StateT, ContextT, InputT, OutputT]:
        """Check the graph and return it as a Runnable; later changes to the builder do not affect it.

        Args:
            checkpointer: The saver of the runs: any of the `langgraph-checkpoint` family.
            cache: Storage for the results of nodes with a cache policy: an `InMemoryCache`, or any cache with the
                interface of langgraph-checkpoint's.
            store: An object that nodes get as `store`, such as a `BaseStore` of langgraph-checkpoint.
            interrupt_before: Nodes before which every run pauses, or `"*"` for all.
            interrupt_after: Nodes after which every run pauses, or `"*"` for all.
            debug: `True` prints the updates and values of every run. `"mutations"` raises `StateMutationError` where a
                node changes in place what lies inside the values of the state; it costs a deep copy of each node's
                input. The environment variable `STREAMGRAPH_CHECK_MUTATIONS=1` does the same for all graphs.
            name: The name of the graph's runs in traces, and of its node in another graph.
            transformers: `StreamTransformer` classes, or functions of a namespace that return one, for runs in the v3
                protocol: those of `stream_events(version="v3")`.
            storage: How keys with a reducer are stored in saved runs. `"delta"` stores what is written to them in place
                of their values, and the value after every 100 updates; see `cookbook/saved_runs.md`.

        Raises:
            GraphBuildError: See `validate`.
            TypeError: The checkpointer is not a saver, or a transformer is neither a class nor a function.
            UnknownOptionError: A run is to pause at a node that does not exist.
        """
        ensure_valid_checkpointer(checkpointer)
        checked_storage(storage)
        check_cache(cache)
        factories = checked_factories(transformers)
        self.validate()
        name = name or "LangGraph"
        planner = Planner(self._schema, self._channels, self._defaults)
        plan = planner.plan(name, self.nodes, self._outgoing, self._joins, tuple(self._output.channels))
        self.compiled = True
        compiled: CompiledStateGraph[StateT, ContextT, InputT, OutputT] = CompiledStateGraph(
            plan=plan,
            builder=self,
            specs=dict(self.nodes),
            schemas=(self._input, self._output),
            context_schema=self.context_schema,
            store=store,
            cache=cache,
            name=name,
            debug=debug,
            checkpointer=checkpointer,
            transformers=factories,
        )
        compiled.storage = storage
        compiled.interrupt_before_nodes = interrupt_before or ()
        compiled.interrupt_after_nodes = interrupt_after or ()
        return compiled

    def _leaving(self, source: str) -> OutEdges:
        return self._outgoing.setdefault(source, OutEdges())

    def _add_channels(self, schema: Schema) -> None:
        self._channels = merged_channels(self._channels, schema.channels, self._schema.channels)
        self._schemas[schema.source] = schema

    def _check_free(self, name: str) -> None:
        if name in self.nodes:
            raise NodeNameError(f"Node `{name}` already present", hint="It has the name of an error handler.")

    def _check_source(self, source: str) -> None:
        if source == END:
            raise UnknownNodeError("END cannot be a start node", hint="Nothing comes after END.")
