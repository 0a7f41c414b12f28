"""Start and end of a run in traces, for sync and async callback managers."""

from __future__ import annotations

import logging
from copy import copy
from inspect import iscoroutinefunction
from typing import Any, Callable, List, Optional, Tuple

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForChainRun,
    BaseCallbackManager,
    CallbackManager,
    CallbackManagerForChainRun,
)

from streamgraph._compat.langchain_core import records
from streamgraph._core.action import Action
from streamgraph._langchain.handlers import TaskHandler
from streamgraph._langchain.lifecycle import (
    AsyncGraphCallbackManager,
    GraphInterruptEvent,
    GraphLifecycleEvent,
    GraphResumeEvent,
    Pause,
    SyncGraphCallbackManager,
    graph_handlers,
)
from streamgraph._policies import TracePolicy
from streamgraph._protocols import Call, Work

_logger = logging.getLogger(__name__)

Manager = Any
"""A callback manager, or that of a run: sync and async ones have the same methods."""

_RECORD_ALL = TracePolicy()


class Trace:
    """A run of a graph or node in traces.

    Args:
        manager: The callback manager.
        chunks: True to report the result as a chunk to handlers that follow streams, such as `astream_events`.
        policy: What tracers record in place of the input and the output.
    """

    def __init__(
        self, manager: BaseCallbackManager, *, chunks: bool = False, policy: Optional[TracePolicy] = None
    ) -> None:
        self._manager = manager
        self._chunks = chunks
        self._policy = policy or _RECORD_ALL
        self._run: Manager = None

    def start(self, given: object, name: str, run_id: object = None) -> Call:
        """Return the call that starts the run.

        Args:
            given: The input of the run.
            name: The name of the run.
            run_id: The id of the run, if the user has given one.
        """
        if not isinstance(self._manager, AsyncCallbackManager):
            return Call(Action(self._start, None), (given, name, run_id), nonblocking=True)
        # langchain-core calls sync handlers that are not inline in threads, where a cancellation does not stop them.
        # They are told of the run's start, so they must be told of its end afterwards. An async handler may take
        # forever, and is cancelled.
        handlers = self._manager.handlers
        shielded = not all(handler.run_inline for handler in handlers) and not any(
            iscoroutinefunction(handler.on_chain_start) for handler in handlers
        )
        return Call(Action(None, self._astart), (given, name, run_id), nonblocking=True, shielded=shielded)

    def child(self, tag: Optional[str] = None) -> BaseCallbackManager:
        """Return a callback manager for runs inside this one."""
        manager: BaseCallbackManager = self._run.get_child(tag)
        return manager

    def resumed(self, checkpoint_id: str, ns: Tuple[str, ...]) -> Work[None]:
        """Tell graph handlers that a saved run goes on.

        Args:
            checkpoint_id: The checkpoint from which it goes on.
            ns: The namespace of its graph.
        """
        run = self._run
        if run is None or not graph_handlers(run.handlers):
            return
        event = GraphResumeEvent(run.run_id, "pending", checkpoint_id, ns)
        asynchronous = isinstance(run, AsyncCallbackManagerForChainRun)
        yield _told(run, event, asynchronous)

    def closing(self, output: object, error: Optional[BaseException], pause: Optional[Pause] = None) -> Work[None]:
        """End the run with its output, or with `error` if it is not `None`.

        Graph handlers are told if a whole run pauses. An error that is not an
        `Exception` is reported without awaiting: after the cancellation of a task, or the drop of a stream, there may
        be no other chance.
        """
        run, self._run = self._run, None
        if run is None:
            return
        if error is None and self._chunks:
            _show(run, output)
        asynchronous = isinstance(run, AsyncCallbackManagerForChainRun)
        if asynchronous and error is not None and not isinstance(error, Exception):
            run, asynchronous = run.get_sync(), False
        if pause is not None and graph_handlers(run.handlers):
            event = GraphInterruptEvent(run.run_id, pause.status, pause.checkpoint_id, (), tuple(pause.interrupts))
            try:
                yield _told(run, event, asynchronous)
            except Exception as insisting:  # of a handler with raise_error
                report = run.on_chain_error
                yield Call(
                    Action(None, report) if asynchronous else Action(report, None), (insisting,), nonblocking=True
                )
                raise
        if error is not None:
            reports: List[Tuple[Manager, object]] = [(run.on_chain_error, error)]
        else:
            shares = _shares(run, output, self._policy.process_outputs)
            reports = [(share.on_chain_end, shown) for share, shown in reversed(shares)]
        for report, outcome in reports:
            yield Call(Action(None, report) if asynchronous else Action(report, None), (outcome,), nonblocking=True)

    def _start(self, given: Any, name: str, run_id: Any) -> None:
        for manager, shown in _shares(self._manager, given, self._policy.process_inputs):
            assert isinstance(manager, CallbackManager)
            run: CallbackManagerForChainRun = manager.on_chain_start({}, shown, name=name, run_id=run_id)
            self._adopt(run)
            run_id = run.run_id

    async def _astart(self, given: Any, name: str, run_id: Any) -> None:
        # The tracers come last: if this is cancelled before, none of them has a run that never ends.
        for manager, shown in _shares(self._manager, given, self._policy.process_inputs):
            assert isinstance(manager, AsyncCallbackManager)
            run: AsyncCallbackManagerForChainRun = await manager.on_chain_start({}, shown, name=name, run_id=run_id)
            self._adopt(run)
            run_id = run.run_id

    def _adopt(self, run: Manager) -> None:
        """Keep a run that has started; the end of it, and what runs inside, concerns all handlers."""
        if self._run is None:
            run.handlers = self._manager.handlers
            self._run = run


def _told(run: Manager, event: GraphLifecycleEvent, asynchronous: bool) -> Call:
    """Return the call that tells the graph handlers of a run what happens to it."""
    kind = AsyncGraphCallbackManager if asynchronous else SyncGraphCallbackManager
    manager: Manager = kind(graph_handlers(run.handlers), run_id=run.run_id)
    tell = manager.on_resume if isinstance(event, GraphResumeEvent) else manager.on_interrupt
    return Call(Action(None, tell) if asynchronous else Action(tell, None), (event,), nonblocking=True)


def _shares(manager: Manager, payload: object, process: Optional[Callable[[Any], Any]]) -> List[Tuple[Manager, object]]:
    """Return a manager with the payload for its handlers; if tracers get another one, two managers.

    Handlers that follow a stream are no tracers in that sense, since users get the payload from them.

    Args:
        manager: The callback manager, or that of a run.
        payload: The input or output.
        process: Returns what tracers get; `None` for the payload.
    """
    if process is None:
        return [(manager, payload)]
    try:
        recorded = process(payload)
    except Exception:
        # A trace must not end a run that works. As in LangGraph, this says so and records everything.
        _logger.exception("A function of a trace_policy has failed; the payload is recorded as it is.")
        return [(manager, payload)]
    if recorded is payload:
        return [(manager, payload)]
    tracing, others = copy(manager), copy(manager)
    tracing.handlers = [handler for handler in manager.handlers if records(handler)]
    others.handlers = [handler for handler in manager.handlers if not records(handler)]
    return [(others, payload), (tracing, recorded)]


def _show(run: Manager, output: object) -> None:
    """Pass a result to the handlers that follow a stream; langchain-core identifies them by the method's name."""
    for handler in run.handlers:
        tap = getattr(handler, "tap_output_iter", None)
        if tap is not None and not isinstance(handler, TaskHandler):
            for _ in tap(run.run_id, iter((output,))):
                pass
