"""The compiled graph: a Runnable that runs and streams."""

from __future__ import annotations

import copy
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any, AsyncIterator, Iterator, Mapping, Optional, Sequence, Tuple, Type, Union
from uuid import uuid4

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.graph import Graph
from pydantic import BaseModel
from typing_extensions import Literal, Self

from streamgraph._core._events import Emitted
from streamgraph._core._ids import child_seed
from streamgraph._core._outlet import Outlet
from streamgraph._core._parts import Parts
from streamgraph._core._plan import Plan
from streamgraph._core._run import Run
from streamgraph._core._shape import shape_of
from streamgraph._drivers._asyncio import AsyncGraphStream
from streamgraph._drivers._threads import GraphStream
from streamgraph._keywords import checked_keywords
from streamgraph._langchain._config import bound_together, resolve_config
from streamgraph._langchain._messages import twin_of
from streamgraph._langchain._scope import current_scope
from streamgraph._langchain._session import GraphSession
from streamgraph.graph.chunks import UpdatesChunk, added_up
from streamgraph.graph.draw import below, drawable
from streamgraph.graph.inputs import coerce_context, read_input
from streamgraph.graph.options import Modes, StreamOptions, check_keys, check_version, stream_options
from streamgraph.graph.schema import Schema
from streamgraph.graph.schema_models import model_of, typed_state
from streamgraph.types import GraphOutput

__all__ = ["CompiledStateGraph"]

Keys = Union[None, str, Sequence[str]]


class CompiledStateGraph(Runnable[Any, Any]):
    """A graph, ready to run; made by `StateGraph.compile`.

    It is a Runnable: it can be invoked, streamed and batched, composed with `|`, bound to a config, and be a
    node of another graph. It holds no state of a run, so one instance can run many times at once.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        builder: Any,
        targets: Mapping[str, Any],
        schemas: Tuple[Schema, Schema],
        context_schema: Optional[Type[Any]],
        store: Any,
        name: str,
    ) -> None:
        self.name = name
        self.builder = builder
        self.store = store
        self.context_schema = context_schema
        self.config: Optional[RunnableConfig] = None
        self._plan = plan
        self._targets = targets
        self._input, self._output = schemas

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, nodes={list(self._plan.nodes)})"

    # The signatures below are LangGraph's; langchain-core's take **kwargs, which would swallow what is misspelt.

    @checked_keywords
    def stream(  # type: ignore[override]
        self,
        input: Any,  # noqa: A002  (the field's name everywhere)
        config: Optional[RunnableConfig] = None,
        *,
        context: Any = None,
        stream_mode: Modes = None,
        output_keys: Keys = None,
        subgraphs: Optional[bool] = None,
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
                - `"tasks"`: tasks that start and end.
                - `"debug"`: the same, with step and time.
            output_keys: The state keys that `values` and `updates` show; with a single one its bare value.
            subgraphs: `True`: every mode also for nested graphs, with the namespace in front. `False`:
                nothing of nested graphs. `None`: tokens and custom data of nested graphs, without namespace.
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
        options = stream_options(
            self._plan, stream_mode=stream_mode, subgraphs=subgraphs, version=version, output_keys=output_keys
        )
        return GraphStream(self._session(input, config, context, options, asynchronous=False))

    @checked_keywords
    def astream(  # type: ignore[override]
        self,
        input: Any,  # noqa: A002
        config: Optional[RunnableConfig] = None,
        *,
        context: Any = None,
        stream_mode: Modes = None,
        output_keys: Keys = None,
        subgraphs: Optional[bool] = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> AsyncGraphStream[Any]:
        """Run the graph on the event loop and yield what happens, as it happens.

        Sync nodes run in threads, so that they do not block the loop. Arguments, chunks and errors are those
        of `stream`.

        Returns:
            An async iterator of chunks that can also be closed (`aclose`), is an async context manager, and
            has the final state as `.output` in the end.
        """
        options = stream_options(
            self._plan, stream_mode=stream_mode, subgraphs=subgraphs, version=version, output_keys=output_keys
        )
        return AsyncGraphStream(self._session(input, config, context, options, asynchronous=True))

    @checked_keywords
    def invoke(  # type: ignore[override]
        self,
        input: Any,  # noqa: A002
        config: Optional[RunnableConfig] = None,
        *,
        context: Any = None,
        stream_mode: Modes = "values",
        output_keys: Keys = None,
        subgraphs: Optional[bool] = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> Any:
        """Run the graph to its end.

        Args:
            input: See `stream`.
            config: See `stream`.
            context: See `stream`.
            stream_mode: `"values"` for the final state; any other for a list of the chunks of that stream.
            output_keys: The keys to return, if not all of the output schema; with a single one its bare value.
            subgraphs: See `stream`; only for a list of chunks.
            version: `"v2"` for a `GraphOutput` instead of a dict.

        Returns:
            The final state as a dict of the output schema's keys, `None` if nothing was ever written.

        Raises:
            GraphRecursionError: The run took more steps than its `recursion_limit`.
            Exception: Whatever a node raised, unchanged.
        """
        if stream_mode != "values":
            return list(
                self.stream(
                    input,
                    config,
                    context=context,
                    stream_mode=stream_mode,
                    output_keys=self._shown_keys(output_keys),
                    subgraphs=subgraphs,
                    version=version,
                )
            )
        options = StreamOptions(version=check_version(version), keys=self._shown_keys(output_keys))
        output = GraphStream(self._session(input, config, context, options, asynchronous=False)).run()
        return self._as_output(output, version)

    @checked_keywords
    async def ainvoke(  # type: ignore[override]
        self,
        input: Any,  # noqa: A002
        config: Optional[RunnableConfig] = None,
        *,
        context: Any = None,
        stream_mode: Modes = "values",
        output_keys: Keys = None,
        subgraphs: Optional[bool] = None,
        version: Literal["v1", "v2"] = "v1",
    ) -> Any:
        """Run the graph to its end on the event loop; see `invoke`."""
        if stream_mode != "values":
            stream = self.astream(
                input,
                config,
                context=context,
                stream_mode=stream_mode,
                output_keys=self._shown_keys(output_keys),
                subgraphs=subgraphs,
                version=version,
            )
            return [chunk async for chunk in stream]
        options = StreamOptions(version=check_version(version), keys=self._shown_keys(output_keys))
        output = await AsyncGraphStream(self._session(input, config, context, options, asynchronous=True)).run()
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
        """Return a copy of the graph that runs with this config, in addition to that of each call.

        Args:
            config: The config.
            **kwargs: Keys of the config.
        """
        bound = copy.copy(self)
        given = RunnableConfig(**{**(config or {}), **kwargs})  # type: ignore[typeddict-item]
        bound.config = given if self.config is None else bound_together(self.config, given)
        return bound

    def get_input_schema(self, config: Optional[RunnableConfig] = None) -> Type[BaseModel]:
        """Return a pydantic model of the graph's input."""
        return model_of(self._input, self.get_name("Input"), required=False)

    def get_output_schema(self, config: Optional[RunnableConfig] = None) -> Type[BaseModel]:
        """Return a pydantic model of the graph's output."""
        return model_of(self._output, self.get_name("Output"), required=False)

    @property
    def nodes(self) -> Mapping[str, Any]:
        """What the nodes were made of, by name."""
        return MappingProxyType(dict(self._targets))

    def get_subgraphs(self, *, namespace: Optional[str] = None, recurse: bool = False) -> Iterator[Tuple[str, Any]]:
        """Yield the nodes that are graphs: their names, with `|` between levels, and the graphs.

        Args:
            namespace: Yield only the graph of this name.
            recurse: Also look into these graphs.
        """
        for name, target in self._targets.items():
            if not isinstance(target, CompiledStateGraph):
                continue
            found = [(name, target)]
            if recurse:
                found += [(f"{name}|{below}", graph) for below, graph in target.get_subgraphs(recurse=True)]
            yield from (pair for pair in found if namespace is None or pair[0] == namespace)

    def get_graph(self, config: Optional[RunnableConfig] = None, *, xray: Union[bool, int] = False) -> Graph:
        """Return the nodes and edges, to be drawn (`draw_mermaid()`, `draw_ascii()`) or inspected.

        Args:
            config: Not used; a graph's structure does not depend on it.
            xray: Show the inside of nodes that are graphs: `True` at every depth, a number down to that one.
        """
        inner = dict(self.get_subgraphs()) if xray else {}
        return drawable(self._plan, self._targets, {name: g.get_graph(xray=below(xray)) for name, g in inner.items()})

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
        run_config = resolve_config(self.config, config, scope)
        writes = read_input(self._plan, self._input, given)
        if scope is None:
            ns: Tuple[str, ...] = ()
            seed = uuid4().bytes
        else:
            call = scope.next_call()
            ns = (*scope.inner_ns, str(call)) if call else scope.inner_ns
            seed = child_seed(scope.task.id, call)
        outlet = Outlet(
            ns,
            options.modes,
            options.nested,
            up=scope.upstream() if scope else None,
            shape=shape_of(
                version=options.version,
                several=options.several,
                namespace=options.namespace,
                coerce=self._coerced(ns),
            ),
            twin=twin_of,
        )
        parts = Parts(
            ns,
            outlet.here,
            keys=options.keys,
            metadata=run_config.metadata,
            tags=run_config.tags,
            clock=_now,
        )
        run = Run(
            self._plan,
            parts,
            seed=seed,
            ns=ns,
            limit=run_config.limit,
            concurrency=run_config.concurrency,
            output=options.keys,
        )
        return GraphSession(
            run,
            outlet,
            run_config,
            given=given,
            writes=writes,
            scope=scope,
            context=coerce_context(self.context_schema, context) if scope is None or context else scope.context,
            store=self.store if self.store is not None or scope is None else scope.store,
            asynchronous=asynchronous,
        )

    def _shown_keys(self, keys: Keys) -> Keys:
        """Return the keys that a caller who waits for the output gets: those of the output schema by default."""
        if keys is None and len(self._plan.output_keys) < len(self._plan.channels):
            return self._plan.output_keys
        return check_keys(self._plan, keys)

    def _coerced(self, ns: Tuple[str, ...]) -> Any:
        def coerce(part: Emitted) -> Any:
            return typed_state(self._output, part.data) if part.ns == ns else part.data

        return coerce

    def _as_output(self, output: Any, version: str) -> Any:
        return GraphOutput(typed_state(self._output, output)) if version == "v2" else output


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()
