"""Opening and closing a run in traces, for sync and async callback managers alike."""

from __future__ import annotations

from asyncio import CancelledError, ensure_future, shield
from inspect import iscoroutinefunction
from typing import Any, Optional

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForChainRun,
    BaseCallbackManager,
    CallbackManager,
    CallbackManagerForChainRun,
)

from streamgraph._langchain.handlers import TaskHandler
from streamgraph._protocols import Action, Call, Work


class Trace:
    """One run, of a graph or a node, as handlers and tracers see it.

    Args:
        manager: Who listens.
        chunks: Whether the result is a chunk of its own to those who follow streams, such as `astream_events`.
    """

    def __init__(self, manager: BaseCallbackManager, *, chunks: bool = False) -> None:
        self._manager = manager
        self._chunks = chunks
        self._run: Any = None
        if isinstance(manager, AsyncCallbackManager):
            self.start = Action(None, self._astart)
        else:
            self.start = Action(self._start, None)

    def child(self, tag: Optional[str] = None) -> BaseCallbackManager:
        """Return a manager for what runs inside."""
        manager: BaseCallbackManager = self._run.get_child(tag)
        return manager

    def closing(self, output: Any, error: Optional[BaseException]) -> Work[None]:
        """End the run: with its output, or with the error if there is one.

        An error that is no `Exception` is reported without awaiting anything: where a task has been cancelled,
        or a stream dropped, there may be no other chance.
        """
        run, self._run = self._run, None
        if run is None:
            return
        if error is None and self._chunks:
            _show(run, output)
        asynchronous = isinstance(run, AsyncCallbackManagerForChainRun)
        if asynchronous and error is not None and not isinstance(error, Exception):
            run, asynchronous = run.get_sync(), False
        report, outcome = (run.on_chain_end, output) if error is None else (run.on_chain_error, error)
        yield Call(Action(None, report) if asynchronous else Action(report, None), (outcome,), nonblocking=True)

    def _start(self, given: Any, name: str, run_id: Any) -> None:
        assert isinstance(self._manager, CallbackManager)
        run: CallbackManagerForChainRun = self._manager.on_chain_start({}, given, name=name, run_id=run_id)
        self._run = run

    async def _astart(self, given: Any, name: str, run_id: Any) -> None:
        assert isinstance(self._manager, AsyncCallbackManager)
        starting = self._manager.on_chain_start({}, given, name=name, run_id=run_id)
        if all(handler.run_inline for handler in self._manager.handlers):
            self._run = await starting
            return
        # langchain-core tells the others in threads and tasks, where a cancellation does not stop them. They hear of
        # the run, and have to hear of its end after that.
        told = ensure_future(starting)
        try:
            self._run = await shield(told)
        except CancelledError:
            if any(iscoroutinefunction(handler.on_chain_start) for handler in self._manager.handlers):
                told.cancel()  # an async handler may take for ever, and is itself cancelled
            self._run = await told
            raise


def _show(run: Any, output: Any) -> None:
    """Pass a result by the handlers that follow what a run streams (langchain-core asks for the method by its name)."""
    for handler in run.handlers:
        tap = getattr(handler, "tap_output_iter", None)
        if tap is not None and not isinstance(handler, TaskHandler):
            for _ in tap(run.run_id, iter((output,))):
                pass
