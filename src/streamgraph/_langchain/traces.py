"""Start and end of a run in traces, for sync and async callback managers."""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any, Optional

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForChainRun,
    BaseCallbackManager,
    CallbackManager,
    CallbackManagerForChainRun,
)

from streamgraph._core.action import Action
from streamgraph._langchain.handlers import TaskHandler
from streamgraph._protocols import Call, Work


class Trace:
    """A run of a graph or node in traces.

    Args:
        manager: The callback manager.
        chunks: True to report the result as a chunk to handlers that follow streams, such as `astream_events`.
    """

    def __init__(self, manager: BaseCallbackManager, *, chunks: bool = False) -> None:
        self._manager = manager
        self._chunks = chunks
        self._run: Any = None

    def start(self, given: Any, name: str, run_id: Any = None) -> Call:
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

    def closing(self, output: Any, error: Optional[BaseException]) -> Work[None]:
        """End the run with its output, or with `error` if it is not `None`.

        An error that is not an `Exception` is reported without awaiting: after the cancellation of a task, or the drop
        of a stream, there may be no other chance.
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
        self._run = await self._manager.on_chain_start({}, given, name=name, run_id=run_id)


def _show(run: Any, output: Any) -> None:
    """Pass a result to the handlers that follow a stream; langchain-core identifies them by the method's name."""
    for handler in run.handlers:
        tap = getattr(handler, "tap_output_iter", None)
        if tap is not None and not isinstance(handler, TaskHandler):
            for _ in tap(run.run_id, iter((output,))):
                pass
