"""`Pregel`: the common class of all graphs that can run, and a graph of nodes and channels by itself."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Callable, Dict, Generic, Iterable, Mapping, Optional, Sequence, Tuple, Type, Union

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.graph import Graph
from pydantic import BaseModel, RootModel, create_model
from typing_extensions import Self

from streamgraph._core.state import Writes
from streamgraph._core.unknown_keys import check_keys
from streamgraph._keywords import checked_keywords
from streamgraph._policies import CachePolicy, RetryPolicy
from streamgraph._runnable.base import GraphBase
from streamgraph._runnable.options import Keys, Modes
from streamgraph._runnable.runnable import GraphRunnable
from streamgraph._runnable.saved_state import SavedState
from streamgraph._runnable.saved_threads import SavedThreads
from streamgraph._runnable.stream_options import KeyedT
from streamgraph._snapshots import Checkpointer
from streamgraph._types import All
from streamgraph.constants import START
from streamgraph.errors import EmptyInputError, GraphBuildError, InvalidUpdateError
from streamgraph.pregel._builder import NodeBuilder
from streamgraph.pregel._draw import Depth, drawable
from streamgraph.pregel._inspection import GraphInspection
from streamgraph.pregel._planner import as_names, built_nodes, check_graph, check_option, plan_of, sorted_channels
from streamgraph.pregel._read import PregelNode
from streamgraph.pregel.protocol import ContextT, InputT, OutputT, PregelProtocol, StateT

__all__ = ["NodeBuilder", "Pregel"]


class Pregel(  # type: ignore[misc]  # the protocol has the signatures without overloads
    GraphRunnable[InputT, ContextT, StateT, OutputT, KeyedT],
    GraphInspection,
    SavedState,
    SavedThreads,
    PregelProtocol[StateT, ContextT, InputT, OutputT],
    Generic[StateT, ContextT, InputT, OutputT, KeyedT],
):
    """A graph that is ready to run: the class of compiled graphs, of workflows, and of graphs of nodes and channels.

    `isinstance(graph, Pregel)` is true for whatever `StateGraph.compile` or `@entrypoint` has made. A graph of nodes
    and channels is made with it directly, one level below `StateGraph`: a node runs in the step after one in which a
    channel was updated that it is subscribed to, and what it writes is seen from the next step on::

        double = NodeBuilder().subscribe_only("a").do(lambda x: x + x).write_to("b")
        graph = Pregel(
            nodes={"double": double},
            channels={"a": EphemeralValue(str), "b": LastValue(str)},
            input_channels="a",
            output_channels="b",
        )
        graph.invoke("ho")  # "hoho"

    Args:
        nodes: The nodes by name: `NodeBuilder`s, or what they build.
        channels: The channels by name: objects of the classes in `streamgraph.channels`, or of a class of one's own.
        auto_validate: Check the graph now; otherwise `validate` does, or the first run.
        stream_mode: The mode or modes of a stream that asks for none.
        stream_eager: Without effect: chunks are always yielded as soon as they are made.
        output_channels: What `invoke` returns: the value of one channel, or a dict of several.
        stream_channels: The channels that a stream shows by default; all of them if it is `None`.
        interrupt_after_nodes: The nodes after which a run pauses, or `"*"` for all.
        interrupt_before_nodes: The nodes before which a run pauses, or `"*"` for all.
        input_channels: What takes the input: one channel, or several, which take a dict.
        step_timeout: The longest time that a step may take, in seconds.
        debug: Print the updates and values of every run.
        checkpointer: The saver of the runs: any of the `langgraph-checkpoint` family.
        store: An object that nodes get as `store`.
        cache: Storage for the results of nodes with a cache policy.
        retry_policy: The retry policies of nodes that have none of their own.
        cache_policy: The cache policy of nodes that have none of their own.
        context_schema: The class of the object passed to a run as `context=`.
        config: The config of every run.
        trigger_to_nodes: The nodes that each channel starts; it follows from the nodes, and is only checked.
        node_error_handler_map: Nodes, and for each another one that runs in its place when it has failed.
        name: The name of the graph's runs in traces, and of its node in another graph.
        stream_transformers: What makes the transformers of `stream_events(version="v3")`.

    Raises:
        UnknownOptionError: A node or option names an unknown channel.
        GraphBuildError: A name is reserved, or the input starts no node.
        TypeError: A node or a channel is something else, or the checkpointer is not a saver.
    """

    @checked_keywords
    def __init__(
        self,
        *,
        nodes: Mapping[str, Union[PregelNode, NodeBuilder]],
        channels: Optional[Mapping[str, object]],
        auto_validate: bool = True,
        stream_mode: Modes = "values",
        stream_eager: bool = False,
        output_channels: Union[str, Sequence[str]],
        stream_channels: Keys = None,
        interrupt_after_nodes: Union[All, Sequence[str]] = (),
        interrupt_before_nodes: Union[All, Sequence[str]] = (),
        input_channels: Union[str, Sequence[str]],
        step_timeout: Optional[float] = None,
        debug: Optional[bool] = None,
        checkpointer: Checkpointer = None,
        store: object = None,
        cache: object = None,
        retry_policy: Union[RetryPolicy, Sequence[RetryPolicy]] = (),
        cache_policy: Optional[CachePolicy] = None,
        context_schema: Optional[Type[ContextT]] = None,
        config: Optional[RunnableConfig] = None,
        trigger_to_nodes: Optional[Mapping[str, Sequence[str]]] = None,
        node_error_handler_map: Optional[Mapping[str, str]] = None,
        name: str = "LangGraph",
        stream_transformers: Optional[Sequence[Callable[[Tuple[str, ...]], object]]] = None,
    ) -> None:
        check_option("input_channels", input_channels)
        check_option("output_channels", output_channels)
        check_option("stream_channels", stream_channels or ())
        built, (known, managed) = built_nodes(nodes), sorted_channels(channels)
        self._inputs = input_channels
        self._given_channels = MappingProxyType(dict(channels or {}))
        self._managed = managed
        self._nodes = MappingProxyType(built)
        self._targets = {key: node.target for key, node in built.items() if node.target is not None}
        self._set_up(
            plan_of(name, built, known, managed, output_channels, node_error_handler_map or {}),
            name=name,
            context_schema=context_schema,
            store=store,
            cache=cache,
            debug=bool(debug),
            stream_mode=stream_mode,
        )
        self.output_channels, self.stream_channels = output_channels, stream_channels
        self._is_valid = False
        self.stream_eager = stream_eager
        self.stream_transformers = stream_transformers or ()
        self.step_timeout = step_timeout
        self.checkpointer = checkpointer
        self.interrupt_after_nodes = interrupt_after_nodes
        self.interrupt_before_nodes = interrupt_before_nodes
        self.retry_policy = (retry_policy,) if isinstance(retry_policy, RetryPolicy) else retry_policy
        self.cache_policy = cache_policy
        self.config = config
        if auto_validate:
            self.validate()
        if trigger_to_nodes:
            self._check_triggers(trigger_to_nodes)

    _inputs: Union[str, Sequence[str]] = START
    _is_valid = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, nodes={list(self._plan.nodes)})"

    def validate(self) -> Self:
        """Check that all names of channels and nodes are known, and that the input starts a node.

        Returns:
            The graph.

        Raises:
            UnknownOptionError: A node or option names an unknown channel.
            GraphBuildError: A name is reserved, or the input starts no node.
        """
        check_graph(self._nodes, self._own_plan.channels, self._managed, self._inputs)
        self._is_valid = True
        return self

    @property
    def channels(self) -> Mapping[str, object]:
        """The channels by name; of a compiled graph, the keys of its state."""
        return self._given_channels

    @property
    def _hints(self) -> Iterable[Any]:
        return [getattr(channel, "ValueType", None) for channel in self._given_channels.values()]

    @property
    def input_channels(self) -> Union[str, Sequence[str]]:
        """The channels that take the input; of a compiled graph, `"__start__"`."""
        return self._inputs

    @property
    def InputType(self) -> Any:  # noqa: N802  (langchain-core's name)
        """The type of the input: what its channel takes, or a dict."""
        return self._type_of(self._inputs, "UpdateType")

    @property
    def OutputType(self) -> Any:  # noqa: N802  (langchain-core's name)
        """The type of the output: the value of its channel, or a dict."""
        return self._type_of(self.output_channels, "ValueType")

    def get_input_schema(self, config: Optional[RunnableConfig] = None) -> Type[BaseModel]:
        """Return a pydantic model of the input; `config` is not used."""
        return self._model_of(self._inputs, "UpdateType", self.get_name("Input"))

    def get_output_schema(self, config: Optional[RunnableConfig] = None) -> Type[BaseModel]:
        """Return a pydantic model of the output; `config` is not used."""
        return self._model_of(self.output_channels, "ValueType", self.get_name("Output"))

    def _type_of(self, names: Union[str, Sequence[str]], kind: str) -> Any:
        return getattr(self._given_channels[names], kind) if isinstance(names, str) else Dict[str, Any]

    def _model_of(self, names: Union[str, Sequence[str]], kind: str, title: str) -> Type[BaseModel]:
        if isinstance(names, str):
            root: Any = RootModel[self._type_of(names, kind)]  # type: ignore[misc]
            return create_model(title, __base__=root)
        fields: Dict[str, Any] = {name: (self._type_of(name, kind), None) for name in names}
        return create_model(title, **fields)

    def _writes(self, given: object, *, lenient: bool) -> Writes:
        if not self._is_valid:
            self.validate()
        inputs = self._inputs
        if given is not None and isinstance(inputs, str):
            return ((inputs, given),)
        if given is not None and not isinstance(given, Mapping):
            raise InvalidUpdateError(
                f"Expected dict, got {given!r:.80} of type {type(given).__name__} as input",
                hint=f"Give a dict with some of {', '.join(map(repr, inputs))}.",
            )
        if given and not lenient:
            check_keys(given, inputs, (), closed=False, node=None)
        writes = tuple((key, value) for key, value in (given or {}).items() if key in inputs)
        if not writes:
            raise EmptyInputError(f"Received no input for {inputs!r}", hint="Give a value for at least one of them.")
        return writes

    def _typed(self, output: object) -> object:
        return output

    def _drawn(self, xray: Depth, parents: Tuple[GraphBase, ...]) -> Graph:
        return drawable(self._nodes, as_names(self._inputs), self._drawn_inside(xray, parents))

    def _check_triggers(self, given: Mapping[str, Sequence[str]]) -> None:
        found = self.trigger_to_nodes
        for trigger, names in given.items():
            for name in names:
                if name not in found.get(trigger, ()):
                    raise GraphBuildError(
                        f"trigger_to_nodes says that {trigger!r} starts node {name!r}, which is not subscribed to it",
                        hint="Leave it out: what starts a node is said with NodeBuilder().subscribe_to().",
                    )
