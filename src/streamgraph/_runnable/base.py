"""Base class of graphs and workflows: their parts, bound config, and how a run is opened."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property, partial
from os import urandom
from sys import modules
from typing import Any, Callable, Dict, FrozenSet, Iterable, List, Mapping, Optional, Sequence, Tuple

from langchain_core.runnables import RunnableBinding, RunnableConfig

from streamgraph._checkpoint.allowed_types import classes_in
from streamgraph._compat.langgraph import PEER, is_peer_graph
from streamgraph._core.breakpoints import Breakpoints
from streamgraph._core.ids import child_seed
from streamgraph._core.parts import PartBuilder
from streamgraph._core.patches import PatchingPartBuilder
from streamgraph._core.plan import Node
from streamgraph._core.results import Route, read_command
from streamgraph._core.run import Run
from streamgraph._core.state import Writes
from streamgraph._drivers.backend_asyncio import AsyncioBackend
from streamgraph._drivers.backend_threads import ThreadBackend
from streamgraph._drivers.driver_asyncio import AsyncGraphStream
from streamgraph._drivers.driver_threads import GraphStream
from streamgraph._drivers.questions import LiveQuestions
from streamgraph._execution.cache import Cache
from streamgraph._execution.live import LiveRun
from streamgraph._execution.saving import Saving
from streamgraph._execution.session import GraphSession
from streamgraph._execution.session_type import session_type
from streamgraph._langchain.configs import resolve_config
from streamgraph._langchain.peer_tasks import peer_scope
from streamgraph._langchain.scope import Scope, current_scope
from streamgraph._messages.coalescing import COALESCER
from streamgraph._messages.copying import copy_payload
from streamgraph._protocols import Backend
from streamgraph._runnable.config_checks import check_config
from streamgraph._runnable.inputs import coerce_context
from streamgraph._runnable.options import Keys, SavingOptions, Subscription, breakpoints, check_keys
from streamgraph._runnable.printing import printing
from streamgraph._runnable.saving import open_saving
from streamgraph._runnable.schema import read_schema
from streamgraph._runnable.schema_models import model_of
from streamgraph._runnable.settings import GraphSettings
from streamgraph._runnable.timestamps import timestamp
from streamgraph._streams.flow import FlowControl
from streamgraph._streams.formats import chunk_format, split_interrupts
from streamgraph._streams.part import Part
from streamgraph._streams.router import Router
from streamgraph._streams.subscribers import RunSubscribers
from streamgraph._types import Command, GraphOutput, Send
from streamgraph.errors import UnknownOptionError


class GraphBase(GraphSettings):
    """Base class of graphs and workflows that are ready to run.

    An instance holds no state of a run, so it can run many times at once.
    """

    _targets: Mapping[str, Any]
    """The functions or Runnables of the nodes, by node name."""

    @abstractmethod
    def _writes(self, given: Any, *, lenient: bool) -> Writes:
        """Validate the input of a run and convert it to writes.

        Args:
            given: The input.
            lenient: True if the input is the state of another graph, which may have other keys.
        """

    @abstractmethod
    def _typed(self, output: Any) -> Any:
        """Return an output as an instance of its schema, for `version="v2"`."""

    @property
    def _hints(self) -> Iterable[Any]:
        """The type hints of what runs of the graph store: its schemas."""
        return ()

    @cached_property
    def _stored_types(self) -> FrozenSet[Tuple[str, str]]:
        """The classes that the hints name, for savers."""
        return classes_in(self._hints)

    def get_context_jsonschema(self) -> Optional[Dict[str, Any]]:
        """Return the JSON schema of `context=`, or `None` if the graph has no `context_schema`."""
        schema = self.context_schema
        return None if schema is None else model_of(read_schema(schema), "Context", lenient=False).model_json_schema()

    def clear_cache(self, nodes: Optional[Sequence[str]] = None) -> None:
        """Delete the cached results of the given nodes, by default of all.

        Args:
            nodes: The names of the nodes.

        Raises:
            ValueError: The graph has no cache.
            UnknownOptionError: A node does not exist.
        """
        self._caching().clear(self._named(nodes))

    async def aclear_cache(self, nodes: Optional[Sequence[str]] = None) -> None:
        """Delete cached results from an async cache; see `clear_cache`."""
        await self._caching().aclear(self._named(nodes))

    def _caching(self) -> Cache:
        if self.cache is None:
            raise ValueError("No cache is set for this graph: give one to compile(cache=...).")
        return Cache(self.cache)

    def _named(self, names: Optional[Sequence[str]]) -> List[Node]:
        nodes = self._plan.nodes
        for name in names or ():
            if name not in nodes:
                raise UnknownOptionError(f"There is no node {name!r} to forget results of", name=name, known=nodes)
        return [nodes[name] for name in (nodes if names is None else names)]

    def _shown_keys(self, keys: Keys) -> Keys:
        """Return the output keys of `invoke`; by default those of the output schema."""
        return self._output_keys if keys is None else check_keys(self._plan, keys)

    def _as_output(self, output: Any, version: str) -> Any:
        if version != "v2":
            return output
        state, interrupts = split_interrupts(output)
        return GraphOutput(self._typed(state), interrupts)

    def _open(
        self, given: Any, config: Optional[RunnableConfig], context: Any, subscription: Subscription, flow: FlowControl
    ) -> GraphStream[Any]:
        """Return the stream of a new run, which starts with the first pull.

        Args:
            given: The input.
            config: The config of the call.
            context: The user's object for this run.
            subscription: The modes and keys that the consumer wants.
            flow: The flow control that the consumer asked for.
        """
        backend = ThreadBackend(flow, COALESCER)
        return GraphStream(self._session(given, config, context, subscription, backend), backend, flow)

    def _aopen(
        self, given: Any, config: Optional[RunnableConfig], context: Any, subscription: Subscription, flow: FlowControl
    ) -> AsyncGraphStream[Any]:
        """Return the async stream of a new run, which starts when it is awaited; see `_open`."""
        backend = AsyncioBackend(flow, COALESCER)
        return AsyncGraphStream(self._session(given, config, context, subscription, backend), backend, flow)

    def _session(
        self,
        given: Any,
        config: Optional[RunnableConfig],
        context: Any,
        subscription: Subscription,
        backend: Backend,
        saving: Optional[Saving] = None,
        record: Optional[Callable[[Part], object]] = None,
    ) -> GraphSession:
        """Return the session of a new run.

        Args:
            given: The input.
            config: The config of the call.
            context: The user's object for this run.
            subscription: The modes and keys that the consumer wants.
            backend: The driver's inbox and its way to start subtasks.
            saving: Loads and stores the run; by default what the graph was compiled with.
            record: Takes the parts of a run that stands by itself, instead of a consumer.
        """
        check_config(config)
        scope = current_scope(config)
        if PEER in modules:
            scope = peer_scope(scope, config, given) or scope
        detached = scope is not None and (record is not None or scope.lets_go())
        if scope is not None and scope.stop.is_set and (detached or scope.stop.finished):
            scope = None  # started by work that outlives its node: an independent run
        settings = resolve_config(self.config, config, scope)
        settings.name = settings.name or self.get_name()
        ns, seed = _place(scope, remembers=self.checkpointer is True)
        if saving is None:
            saving = open_saving(self, settings, scope, ns, subscription.saving, backend)
        writes: Writes = ()
        entry: Sequence[Route] = ()
        if isinstance(given, (Command, Send)) and (self._plan.start.kind == "node" or getattr(given, "resume", None)):
            begun = read_command(self._plan, given, answers=saving is not None and scope is None)
            writes, entry = begun.writes, begun.routes
        elif given is not None or saving is None:
            writes = self._writes(given, lenient=scope is not None and given is scope.task.input)
        up = scope.parent_stream(detached=detached) if scope is not None else None
        subscribers = RunSubscribers(
            ns, subscription.modes, subscription.nested, subscription.filter, up.subscribers if up else None
        )
        router = Router(
            subscribers,
            up=up,
            shape=self._shape(ns, subscription, record),
            copy_payload=copy_payload,
            emits_error_part=subscription.version == "v2",
        )
        make_parts = PatchingPartBuilder if "patches" in subscribers.here.modes else PartBuilder
        parts = make_parts(
            ns,
            subscribers.here,
            keys=subscription.keys,
            results=self._stream_keys,
            metadata=settings.metadata,
            tags=settings.tags,
            clock=timestamp,
        )
        control = subscription.control or (scope.run.control if scope is not None else None)
        make = Run if saving is None else partial(saving.run_type, recorder=saving.saved)
        run = make(
            self._plan,
            parts,
            seed=seed,
            ns=ns,
            limit=settings.limit,
            concurrency=settings.concurrency,
            output=subscription.output,
            entry=entry,
            control=control,
            breakpoints=self._breakpoints(subscription.saving),
        )
        inherits = scope is not None and not context
        return session_type()(
            run,
            router,
            settings,
            backend,
            parts=parts,
            given=given,
            writes=writes,
            scope=scope,
            detached=detached,
            control=control,
            saving=saving,
            checks_mutations=self.checks_mutations or (scope is not None and scope.run.checks_mutations),
            context=scope.run.context
            if scope is not None and inherits
            else coerce_context(self.context_schema, context),
            store=scope.run.store if scope is not None and self.store is None else self.store,
            cache=None if self.cache is None else Cache(self.cache),
            questions=_questions(subscription, scope),
        )

    def _breakpoints(self, options: SavingOptions) -> Optional[Breakpoints]:
        before = self.interrupt_before_nodes if options.before is None else options.before
        after = self.interrupt_after_nodes if options.after is None else options.after
        return breakpoints(self._plan, before, after)

    def _shape(
        self, ns: Tuple[str, ...], subscription: Subscription, record: Optional[Callable[[Part], object]] = None
    ) -> Callable[[Part], object]:
        """Return the function that formats parts as chunks, or takes them."""
        typed = self._typed

        def coerce(part: Part) -> object:
            return typed(part.data) if part.ns == ns else part.data

        shape = record or chunk_format(
            version=subscription.version, several=subscription.several, namespace=subscription.namespace, coerce=coerce
        )
        return (
            printing(shape, shown=subscription.shown, printed=subscription.printed) if subscription.printed else shape
        )


def _questions(subscription: Subscription, scope: Optional[Scope]) -> Optional[LiveQuestions]:
    """Return the open questions of the stream that a run belongs to, if they are answered while it goes on."""
    if subscription.interrupts is not None:
        return LiveQuestions() if subscription.interrupts == "live" else None
    around = None if scope is None else scope.run.live
    return around.questions if isinstance(around, LiveRun) else None


def _place(scope: Optional[Scope], *, remembers: bool) -> Tuple[Tuple[str, ...], bytes]:
    """Return the namespace of a new run, and the seed for the ids of its tasks.

    Args:
        scope: The task that the run is nested in; `None` for a root run.
        remembers: The graph remembers its state from one task to the next: its namespace names the node only.
    """
    if scope is None:
        return (), urandom(16)
    call = scope.next_call()
    ns = scope.inner_ns
    if remembers and scope.run.saving is not None:
        ns = (*ns[:-1], scope.task.name)
    return (*ns, str(call)) if call else ns, child_seed(scope.task.id, call)


def is_graph(target: Any) -> bool:
    """Return whether a node is a graph, of this package or of LangGraph, possibly bound to a config."""
    while isinstance(target, RunnableBinding):
        target = target.bound
    return isinstance(target, GraphBase) or is_peer_graph(target)
