"""The transformer that shows each nested graph as a run stream of its own."""

from __future__ import annotations

from typing import Dict, List, Optional, Union

from streamgraph.stream._lifecycle import SubgraphStatus, _TasksLifecycleBase, status_of
from streamgraph.stream._mux import StreamMux
from streamgraph.stream._types import Projection, ProtocolEvent, Scope
from streamgraph.stream.run_stream import AsyncSubgraphRunStream, SubgraphRunStream
from streamgraph.stream.stream_channel import StreamChannel

__all__ = ["SubgraphTransformer"]

Handle = Union[SubgraphRunStream, AsyncSubgraphRunStream]


class SubgraphTransformer(_TasksLifecycleBase):
    """Shows each nested graph as a run stream of its own: `run.subgraphs`.

    Such a stream has projections as the run has, made by transformers of its own, and those that are nested deeper are
    in its own `subgraphs`. That needs a mux with `factories`.

    Args:
        scope: The namespace whose nested graphs it is for.
    """

    _native = True
    supports_sync = True

    def __init__(self, scope: Scope = ()) -> None:
        super().__init__(scope)
        self._log: StreamChannel[Handle] = StreamChannel()
        self._handles: Dict[Scope, Handle] = {}
        self._mux: Optional[StreamMux] = None

    def init(self) -> Projection:
        """Return the channel of nested graphs."""
        return {"subgraphs": self._log}

    def _on_register(self, mux: StreamMux) -> None:
        self._mux = mux

    def _should_track(self, ns: Scope) -> bool:
        return ns[:-1] == self.scope and len(ns) > 0

    def _on_started(self, ns: Scope, graph_name: Optional[str], trigger_call_id: Optional[str]) -> None:
        if self._mux is None or self._mux._factories is None:
            return
        child = self._mux._make_child(ns)
        kind = AsyncSubgraphRunStream if child.is_async else SubgraphRunStream
        handle: Handle = kind(child, path=ns, graph_name=graph_name, trigger_call_id=trigger_call_id)
        handle.metadata = self._metadata.get(trigger_call_id or "", {})
        handle.tags = list(handle.metadata.get("tags") or ())
        self._handles[ns] = handle
        self._log.push(handle)

    def _on_terminal(self, ns: Scope, status: SubgraphStatus, error: Optional[str]) -> None:
        handle = self._ending(ns, status, error)
        if handle is not None and status == "failed":
            handle._mux.fail(RuntimeError(error or "The nested graph has failed."))
        elif handle is not None:
            handle._mux.close()

    async def _aon_terminal(self, ns: Scope, status: SubgraphStatus, error: Optional[str]) -> None:
        handle = self._ending(ns, status, error)
        if handle is not None and status == "failed":
            await handle._mux.afail(RuntimeError(error or "The nested graph has failed."))
        elif handle is not None:
            await handle._mux.aclose()

    def _ending(self, ns: Scope, status: SubgraphStatus, error: Optional[str]) -> Optional[Handle]:
        """Note how a nested graph has ended; return its stream if that has to be ended as well."""
        handle = self._handles.get(ns)
        if handle is None or handle._seen_terminal:
            return None
        handle._seen_terminal = True
        handle.status = status
        handle.error = error if handle.error is None else handle.error
        return None if handle._mux._events._closed else handle

    def _handle_of(self, event: ProtocolEvent) -> Optional[Handle]:
        """Return the stream of the nested graph that an event comes from, or that is around it."""
        ns, depth = tuple(event["params"]["namespace"]), len(self.scope)
        handle = self._handles.get(ns[: depth + 1]) if len(ns) > depth else None
        return None if handle is None or handle._mux._events._closed else handle

    def process(self, event: ProtocolEvent) -> bool:
        """Follow a task event, and take each event of a nested graph to its own stream."""
        keep = super().process(event)
        handle = self._handle_of(event)
        if handle is not None:
            handle._observe_event(event)
            handle._mux.push(event)
        return keep

    async def aprocess(self, event: ProtocolEvent) -> bool:
        """Take in an event of an async run; see `process`."""
        data, is_task = event["params"]["data"], event["method"] == "tasks"
        if is_task and "result" in data:
            for ending in self._pop_terminal_transitions(tuple(event["params"]["namespace"]), data):
                await self._aon_terminal(*ending)
        elif is_task:
            super().process(event)
        handle = self._handle_of(event)
        if handle is not None:
            handle._observe_event(event)
            await handle._mux.apush(event)
        return not is_task

    def finalize(self) -> None:
        """End the streams of all nested graphs.

        Raises:
            Exception: The first error of their transformers; all of them have ended nevertheless.
        """
        self._open.clear()
        errors: List[BaseException] = []
        for ns in self._handles:
            try:
                self._on_terminal(ns, "completed", None)
            except BaseException as error:
                errors.append(error)
        if errors:
            raise errors[0]

    async def afinalize(self) -> None:
        """End the streams of all nested graphs of an async run; see `finalize`."""
        self._open.clear()
        errors: List[BaseException] = []
        for ns in self._handles:
            try:
                await self._aon_terminal(ns, "completed", None)
            except BaseException as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def fail(self, err: BaseException) -> None:
        """End the streams of all nested graphs with the error of the run."""
        self._open.clear()
        for ns, handle in self._handles.items():
            self._ending(ns, *status_of(err))
            if not handle._mux._events._closed:
                handle._mux.fail(err)

    async def afail(self, err: BaseException) -> None:
        """End the streams of all nested graphs of an async run with its error."""
        self._open.clear()
        for ns, handle in self._handles.items():
            self._ending(ns, *status_of(err))
            if not handle._mux._events._closed:
                await handle._mux.afail(err)
