"""What graphs and functional workflows have in common: they are Runnables that run and stream."""

from __future__ import annotations

import copy
from abc import abstractmethod
from dataclasses import replace
from typing import Any, AsyncIterator, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Type, Union

from langchain_core.runnables import Runnable, RunnableConfig
from typing_extensions import Literal, Self

from streamgraph._core._control import RunControl
from streamgraph._core._parts import Parts
from streamgraph._core._plan import Node, Plan
from streamgraph._core._state import Writes
from streamgraph._core._workflow import AnyRun
from streamgraph._drivers._asyncio import AsyncGraphStream
from streamgraph._drivers._threads import GraphStream
from streamgraph._keywords import checked_keywords
from streamgraph._langchain._cache import Cache
from streamgraph._langchain._config import bound_together, resolve_config
from streamgraph._langchain._scope import current_scope
from streamgraph._langchain._session import GraphSession
from streamgraph._types import GraphOutput
from streamgraph.errors import UnknownOptionError
from streamgraph.graph.chunks import UpdatesChunk, added_up
from streamgraph.graph.options import Modes, StreamOptions, check_keys, check_version, stream_options
from streamgraph.graph.schema import read_schema
from streamgraph.graph.schema_models import model_of
from streamgraph.graph.sessions import Definition, open_session
from streamgraph.graph.unsupported import refuse

Keys = Union[None, str, Sequence[str]]


class GraphRunnable(Runnable[Any, Any]):
    """A graph or workflow, ready to run.

    It holds no state of a run, so one instance can run many times at once.

    Attributes:
        name: The name of its runs in traces.
        config: What it was bound to with `with_config`.
        context_schema: The class of the object that a run can be given as `context=`.
        store: The store that its nodes get.
        cache: Where the results of nodes with a cache policy are kept.
        debug: Whether every run prints what happens.
    """

    _plan: Plan

    def __init__(
        self, *, name: str, context_schema: Optional[Type[Any]], store: Any, cache: Any, debug: bool = False
    ) -> None:
        self.name = name
        self.config: Optional[RunnableConfig] = None
        self.context_schema = context_schema
        self.store = store
        self.cache = cache
        self.debug = debug

    @abstractmethod
    def _writes(self, given: Any) -> Writes:
        """Check the input of a run and turn it into writes."""

    @abstractmethod
    def _typed(self, output: Any) -> Any:
        """Return an output as an instance of its schema, for `version="v2"`."""

    @abstractmethod
    def _run(self, parts: Parts, seed: bytes, ns: Tuple[str, ...], limit: int, **options: Any) -> AnyRun:
        """Return the state machine of a new run."""

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
        durability: Optional[Literal["sync", "async", "exit"]] = None,
        control: Optional[RunControl] = None,
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
        options = self._options(stream_mode, print_mode, output_keys, subgraphs, debug, version, control)
        return GraphStream(self._session(input, config, context, options, asynchronous=False))

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
        durability: Optional[Literal["sync", "async", "exit"]] = None,
        control: Optional[RunControl] = None,
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
        options = self._options(stream_mode, print_mode, output_keys, subgraphs, debug, version, control)
        return AsyncGraphStream(self._session(input, config, context, options, asynchronous=True))

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
        durability: Optional[Literal["sync", "async", "exit"]] = None,
        control: Optional[RunControl] = None,
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
            version: `"v2"` for a `GraphOutput` instead of a dict.

        Returns:
            The final state as a dict of the output schema's keys, `None` if nothing was ever written.

        Raises:
            GraphRecursionError: The run took more steps than its `recursion_limit`.
            Exception: Whatever a node raised, unchanged.
        """
        refuse(interrupt_before=interrupt_before, interrupt_after=interrupt_after)
        keys = self._shown_keys(output_keys)
        if stream_mode != "values":
            options = self._options(stream_mode, print_mode, keys, subgraphs, debug, version, control)
            return list(GraphStream(self._session(input, config, context, options, asynchronous=False)))
        quiet = self._quiet_options(print_mode, keys, debug, version, control)
        output = GraphStream(self._session(input, config, context, quiet, asynchronous=False)).run()
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
        durability: Optional[Literal["sync", "async", "exit"]] = None,
        control: Optional[RunControl] = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> Any:
        """Run the graph to its end on the event loop; see `invoke`."""
        refuse(interrupt_before=interrupt_before, interrupt_after=interrupt_after)
        keys = self._shown_keys(output_keys)
        if stream_mode != "values":
            options = self._options(stream_mode, print_mode, keys, subgraphs, debug, version, control)
            stream: AsyncGraphStream[Any] = AsyncGraphStream(
                self._session(input, config, context, options, asynchronous=True)
            )
            return [chunk async for chunk in stream]
        quiet = self._quiet_options(print_mode, keys, debug, version, control)
        output = await AsyncGraphStream(self._session(input, config, context, quiet, asynchronous=True)).run()
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

    def with_config(self, config: Optional[RunnableConfig] = None, **kwargs: Any) -> Self:
        """Return a copy that runs with this config, in addition to that of each call.

        Args:
            config: The config.
            **kwargs: Keys of the config.
        """
        bound = copy.copy(self)
        given = RunnableConfig(**{**(config or {}), **kwargs})  # type: ignore[typeddict-item]
        bound.config = given if self.config is None else bound_together(self.config, given)
        return bound

    def copy(self, update: Optional[Mapping[str, Any]] = None) -> Self:
        """Return a copy, with other values for some attributes, such as its name.

        Args:
            update: The attributes and their values.
        """
        copied = copy.copy(self)
        vars(copied).update(update or {})
        return copied

    def get_context_jsonschema(self) -> Optional[Dict[str, Any]]:
        """Return the JSON schema of the object that a run can be given as `context=`, or `None` if it takes none."""
        schema = self.context_schema
        return None if schema is None else model_of(read_schema(schema), "Context").model_json_schema()

    def clear_cache(self, nodes: Optional[Sequence[str]] = None) -> None:
        """Forget the cached results of all nodes, or of these.

        Args:
            nodes: The names of the nodes.

        Raises:
            ValueError: There is no cache.
            UnknownOptionError: There is no such node.
        """
        self._caching().clear(self._named(nodes))

    async def aclear_cache(self, nodes: Optional[Sequence[str]] = None) -> None:
        """Forget the cached results of all nodes, or of these; for a cache that is awaited."""
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

    def _options(
        self,
        stream_mode: Modes,
        print_mode: Modes,
        output_keys: Keys,
        subgraphs: Optional[bool],
        debug: Optional[bool],
        version: str,
        control: Optional[RunControl],
    ) -> StreamOptions:
        options = stream_options(
            self._plan,
            stream_mode=stream_mode,
            print_mode=self._print_mode(print_mode, debug),
            subgraphs=subgraphs,
            version=version,
            output_keys=output_keys,
        )
        return options if control is None else replace(options, control=control)

    def _quiet_options(
        self, print_mode: Modes, keys: Keys, debug: Optional[bool], version: str, control: Optional[RunControl]
    ) -> StreamOptions:
        """Return the options of a call that only waits for the output."""
        shown = self._print_mode(print_mode, debug)
        if not shown:
            return StreamOptions(version=check_version(version), keys=keys, control=control)
        return replace(self._options("values", shown, keys, False, False, version, control), shown=frozenset())

    def _print_mode(self, print_mode: Modes, debug: Optional[bool]) -> Modes:
        return ("updates", "values") if (self.debug if debug is None else debug) and not print_mode else print_mode

    def _session(
        self,
        given: Any,
        config: Optional[RunnableConfig],
        context: Any,
        options: StreamOptions,
        *,
        asynchronous: bool,
    ) -> GraphSession:
        scope = current_scope(config)
        if scope is not None and scope.stop.finished:
            scope = None  # started by something that a node has left behind: a run of its own
        return open_session(
            Definition(self._plan, self._run, self._typed, self.context_schema, self.store, self.cache),
            options,
            resolve_config(self.config, config, scope),
            given=given,
            writes=self._writes(given),
            context=context,
            scope=scope,
            asynchronous=asynchronous,
        )

    def _shown_keys(self, keys: Keys) -> Keys:
        """Return the keys that a caller who waits for the output gets: those of the output schema by default."""
        if keys is None and len(self._plan.output_keys) < len(self._plan.channels):
            return self._plan.output_keys
        return check_keys(self._plan, keys)

    def _as_output(self, output: Any, version: str) -> Any:
        return GraphOutput(self._typed(output)) if version == "v2" else output
