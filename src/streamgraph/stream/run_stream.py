"""A run, as who reads it sees it: its projections, its events and its result."""

from __future__ import annotations

import asyncio
import threading
from types import MappingProxyType, TracebackType
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Type

from typing_extensions import Self

from streamgraph.stream._interleave import interleaved
from streamgraph.stream._message_events import MessageEvents
from streamgraph.stream._mux import StreamMux
from streamgraph.stream._types import ProtocolEvent, Scope, is_at

State = Dict[str, Any]
Parts = Iterator[Mapping[str, Any]]
AsyncParts = AsyncIterator[Mapping[str, Any]]

__all__ = ["AsyncGraphRunStream", "AsyncSubgraphRunStream", "GraphRunStream", "SubgraphRunStream"]


class _RunView:
    """What sync and async run streams have in common.

    Attributes:
        extensions: The projections of all transformers, by name; those of native ones are attributes as well.
    """

    def __init__(self, mux: StreamMux) -> None:
        self._mux = mux
        self._convert = MessageEvents()
        self._exhausted = False
        self._latest: Optional[State] = None
        self._interrupted = False
        self._interrupts: List[object] = []
        self.extensions: Mapping[str, Any] = MappingProxyType(mux.extensions)
        for key in mux.native_keys:
            setattr(self, key, mux.extensions[key])

    def __getattr__(self, name: str) -> Any:
        """Say which projections there are, for a name that is none of them."""
        mux = vars(self).get("_mux")  # it may not be there yet
        known = ", ".join(sorted(mux.native_keys)) if mux is not None else ""
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r} (registered projections: {known or 'none'})"
        )

    def _observe_event(self, event: ProtocolEvent) -> None:
        """Keep what the result needs: the last state, and the questions of interrupted nodes."""
        if is_at(event, "values", self._mux.scope):
            params = event["params"]
            self._latest = params["data"]
            self._interrupts += params.get("interrupts", ())
            self._interrupted = bool(self._interrupts)

    def _check(self) -> None:
        """Raise the error of the run, if it has failed."""
        error = self._mux._events._error
        if error is not None:
            raise error


class GraphRunStream(_RunView):
    """A sync run that goes on when something of it is read: a projection, its events or its result.

    ::

        with GraphRunStream(graph.stream(given, version="v2", subgraphs=True, stream_mode=["values"]), mux) as run:
            for state in run.values:
                print(state)

    Projections may be read in any order, also from different threads. Each has one reader; `projection.tee(n)` makes
    several of one.

    Args:
        graph_iter: The parts of the run, from `stream` with `version="v2"` and `subgraphs=True`; `None` for a nested
            graph, which its run advances.
        mux: The transformers.
        wire_pump: False if what is read from the mux asks for more by other means.

    Attributes:
        extensions: The projections of all transformers, by name; those of native ones are attributes as well.
    """

    def __init__(self, graph_iter: Optional[Parts], mux: StreamMux, *, wire_pump: bool = True) -> None:
        super().__init__(mux)
        self._graph_iter = graph_iter
        # Reentrant: a transformer may read what others make.
        self._pumping = threading.RLock()
        if wire_pump:
            mux.bind_pump(self._pump_next)

    def _pump_next(self) -> bool:
        """Take one part from the graph to the transformers; return False at the end of the run.

        If another thread does so at the moment, wait for it instead.
        """
        if not self._pumping.acquire(blocking=False):
            with self._pumping:
                return not self._exhausted
        try:
            return self._advance()
        finally:
            self._pumping.release()

    def _advance(self) -> bool:
        if self._exhausted or self._graph_iter is None:
            return False
        try:
            for event in self._convert.of(next(self._graph_iter)):
                self._observe_event(event)
                self._mux.push(event)
        except StopIteration:
            self._exhausted = True
            self._mux.close()
            return False
        except Exception as error:
            self._exhausted = True
            self._mux.fail(error)
            return False
        return True

    def _drive(self) -> None:
        while self._pump_next():
            pass
        self._check()

    def abort(self) -> None:
        """End the run: its nodes are cancelled, and its projections closed. Nothing happens to a run that has ended."""
        if self._exhausted:
            return
        self._exhausted = True
        graph_iter, self._graph_iter = self._graph_iter, None
        try:
            _close = getattr(graph_iter, "close", None)
            if _close is not None:
                _close()
        finally:
            self._mux.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: Optional[Type[BaseException]], exc: Optional[BaseException], tb: Optional[TracebackType]
    ) -> None:
        self.abort()

    @property
    def output(self) -> Optional[State]:
        """The state at the end of the run, which is run to its end for that.

        Raises:
            Exception: The error of the run.
        """
        self._drive()
        return self._latest

    @property
    def interrupted(self) -> bool:
        """Whether the run, which is run to its end for that, has ended with open questions."""
        self._drive()
        return self._interrupted

    @property
    def interrupts(self) -> List[object]:
        """The open questions with which the run, which is run to its end for that, has ended."""
        self._drive()
        return self._interrupts

    def __iter__(self) -> Iterator[ProtocolEvent]:
        """Read the events of the run."""
        return iter(self._mux._events)

    def interleave(self, *names: str) -> Iterator[Tuple[str, Any]]:
        """Read several projections at once, as pairs of a name and an item, in the order in which the items came.

        Args:
            *names: The names of the projections.

        Raises:
            KeyError: There is no such projection.
            TypeError: A projection is no channel of a sync run.
            RuntimeError: Somebody reads a projection already.
        """
        return interleaved(self._mux, names)


class AsyncGraphRunStream(_RunView):
    """An async run that goes on when something of it is read; see `GraphRunStream`.

    Several tasks may read its projections at the same time: one of them advances the run, the others wait for what
    comes of it.

    Args:
        graph_aiter: The parts of the run, from `astream` with `version="v2"` and `subgraphs=True`; `None` for a nested
            graph, which its run advances. If its `closes_while_read` is true, it may be closed while a part is awaited.
        mux: The transformers, with `is_async=True`.
        wire_pump: False if what is read from the mux asks for more by other means.

    Attributes:
        extensions: The projections of all transformers, by name; those of native ones are attributes as well.
    """

    def __init__(self, graph_aiter: Optional[AsyncParts], mux: StreamMux, *, wire_pump: bool = True) -> None:
        super().__init__(mux)
        self._graph_aiter = graph_aiter
        # The pull that is going on, which only one task can wait for, and whether `abort` has cancelled it.
        self._anext_task: Optional[asyncio.Future[Mapping[str, Any]]] = None
        self._advanced: Optional[asyncio.Future[None]] = None
        self._aborting = False
        if wire_pump:
            mux.bind_apump(self._apump_next)

    async def _apump_next(self) -> bool:
        """Take one part from the graph to the transformers, or wait until another task has; False at the end."""
        if self._exhausted or self._graph_aiter is None:
            return False
        if self._advanced is not None:
            await asyncio.wait({self._advanced})
            return not self._exhausted
        self._advanced = asyncio.get_running_loop().create_future()
        try:
            return await self._advance(self._graph_aiter)
        finally:
            self._advanced.set_result(None)
            self._advanced = None

    async def _advance(self, parts: AsyncParts) -> bool:
        pull: Optional[asyncio.Future[Mapping[str, Any]]] = None
        if not getattr(parts, "closes_while_read", False):
            # In a task of its own, since a generator that runs can be cancelled, but not closed.
            pull = self._anext_task = asyncio.ensure_future(_next(parts))
        try:
            for event in self._convert.of(await (parts.__anext__() if pull is None else pull)):
                self._observe_event(event)
                await self._mux.apush(event)
        except StopAsyncIteration:
            if self._aborting:
                return False
            self._exhausted = True
            await self._close_mux()
            return False
        except asyncio.CancelledError:
            if pull is not None:
                if self._aborting and pull.cancelled():
                    return False
                pull.cancel()
            raise
        except Exception as error:
            self._exhausted = True
            await self._mux.afail(error)
            return False
        finally:
            self._anext_task = None
        return True

    async def _close_mux(self) -> None:
        """End the projections; an error of scheduled work is then the error of the run."""
        try:
            await self._mux.aclose()
        except Exception as error:
            await self._mux.afail(error)

    async def _drive(self) -> None:
        while await self._apump_next():
            pass
        self._check()

    async def abort(self) -> None:
        """End the run: its nodes are cancelled, and its projections closed. Nothing happens to a run that has ended."""
        if self._exhausted:
            return
        self._exhausted = self._aborting = True
        parts, self._graph_aiter = self._graph_aiter, None
        pull = self._anext_task
        if pull is not None and not pull.done():
            pull.cancel()
            await asyncio.wait({pull})
        try:
            aclose = getattr(parts, "aclose", None)
            if aclose is not None:
                await aclose()
        finally:
            await self._mux.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: Optional[Type[BaseException]], exc: Optional[BaseException], tb: Optional[TracebackType]
    ) -> None:
        await self.abort()

    async def output(self) -> Optional[State]:
        """Run to the end, and return the state there.

        Raises:
            Exception: The error of the run.
        """
        await self._drive()
        return self._latest

    async def interrupted(self) -> bool:
        """Run to the end, and return whether there are open questions."""
        await self._drive()
        return self._interrupted

    async def interrupts(self) -> List[object]:
        """Run to the end, and return the open questions."""
        await self._drive()
        return self._interrupts

    def __aiter__(self) -> AsyncIterator[ProtocolEvent]:
        """Read the events of the run."""
        return self._mux._events.__aiter__()


async def _next(parts: AsyncParts) -> Mapping[str, Any]:
    return await parts.__anext__()


class _Nested:
    """What is known of a nested graph.

    Attributes:
        path: Its namespace.
        graph_name: The name of its node, or of the agent that it is.
        node: The name of the node that it runs in.
        metadata: The metadata of the task that it runs in.
        tags: The tags of that task.
        trigger_call_id: The id of the task that it runs in.
        status: `"started"`, and in the end how it has ended.
        error: The error with which it has ended.
    """

    path: Scope
    node: str
    metadata: Dict[str, Any]
    tags: List[str]
    graph_name: Optional[str]
    trigger_call_id: Optional[str]
    status: str
    error: Optional[str]
    _seen_terminal: bool

    def _describe(self, path: Scope, graph_name: Optional[str], trigger_call_id: Optional[str]) -> None:
        self.path = path
        self.node = path[-1].partition(":")[0] if path else ""
        self.metadata = {}
        self.tags = []
        self.graph_name = graph_name
        self.trigger_call_id = trigger_call_id
        self.status = "started"
        self.error = None
        self._seen_terminal = False


class SubgraphRunStream(_Nested, GraphRunStream):
    """A nested graph of a sync run. Reading it advances the whole run.

    Args:
        mux: The transformers of the nested graph.
        path: Its namespace.
        graph_name: The name of its node, or of the agent that it is.
        trigger_call_id: The id of the task that it runs in.
    """

    def __init__(
        self, mux: StreamMux, *, path: Scope, graph_name: Optional[str] = None, trigger_call_id: Optional[str] = None
    ) -> None:
        self._parent_pump_fn: Optional[Callable[[], bool]] = mux._pump_fn
        super().__init__(None, mux, wire_pump=False)
        self._describe(path, graph_name, trigger_call_id)

    def _pump_next(self) -> bool:
        over = self._exhausted or self._seen_terminal or self._mux._events._closed
        return not over and self._parent_pump_fn is not None and self._parent_pump_fn()


class AsyncSubgraphRunStream(_Nested, AsyncGraphRunStream):
    """A nested graph of an async run; see `SubgraphRunStream`."""

    def __init__(
        self, mux: StreamMux, *, path: Scope, graph_name: Optional[str] = None, trigger_call_id: Optional[str] = None
    ) -> None:
        self._parent_apump_fn: Optional[Callable[[], Awaitable[bool]]] = mux._apump_fn
        super().__init__(None, mux, wire_pump=False)
        self._describe(path, graph_name, trigger_call_id)

    async def _apump_next(self) -> bool:
        over = self._exhausted or self._seen_terminal or self._mux._events._closed
        return not over and self._parent_apump_fn is not None and await self._parent_apump_fn()
