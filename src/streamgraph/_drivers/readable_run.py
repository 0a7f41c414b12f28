"""What the readers and the handle of a run use of it, wherever it goes on, and how its end is awaited."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from time import monotonic
from types import TracebackType
from typing import Callable, Dict, List, Optional, Sequence, Tuple
from weakref import ReferenceType

from streamgraph._drivers.recorder import Lag
from streamgraph._drivers.shutdown import HERE, Reader
from streamgraph._drivers.waiting import LoopWaiter, ThreadWaiter, Waiters
from streamgraph._propagation import current_loop
from streamgraph._protocols import Partial
from streamgraph._signals import Paused, RunningTask, Unstreamed
from streamgraph._streams.event_log import ReadableLog
from streamgraph._streams.part import Part
from streamgraph.errors import EventLoopError, RunCancelledError

ENDED = frozenset(("done", "interrupted", "failed", "cancelled"))

CHECK_SECONDS = 1.0
"""Seconds after which who waits for a run on another event loop checks whether that loop is still there."""

UNKNOWN: object = object()
"""The output of a run that has none."""


class ReadableRun(ABC):
    """A run, for those who read it and wait for its end.

    Attributes:
        log: The log of its events.
        changed: Those who wait for events.
        loop: The event loop that it runs on; `None` if it runs in a thread, or in another process.
        asked: The questions with which it has ended.
        ns: The namespace of its graph.
    """

    log: ReadableLog

    def __init__(self) -> None:
        self.changed = Waiters()
        self.loop: Optional[asyncio.AbstractEventLoop] = None
        self.asked: Sequence[Paused] = ()
        self.ns: Tuple[str, ...] = ()
        self._ended = Waiters()
        self._output: object = UNKNOWN
        self._error: Optional[BaseException] = None
        self._traceback: Optional[TracebackType] = None
        self._joining: Dict[int, ReferenceType[Reader]] = {}

    # What differs by where the run goes on

    @abstractmethod
    def cancel(self) -> None:
        """Ask the run to end, if it has not ended; from any thread, without waiting."""

    @abstractmethod
    def answer(self, id: str, value: object) -> None:  # noqa: A002  (the field's name)
        """Answer an open question; see `answer_live`."""

    async def aanswer(self, id: str, value: object) -> None:  # noqa: A002
        """Answer an open question, on an event loop."""
        self.answer(id, value)

    @abstractmethod
    def questions(self) -> List[Paused]:
        """Return the questions that wait for an answer."""

    def is_paused(self) -> bool:
        """Return True if it is known that an open question waits."""
        return False

    @abstractmethod
    def hold(self, limit: int, wants: Callable[[Part], bool]) -> Lag:
        """Let a reader hold the run back.

        Args:
            limit: The most parts that may wait for the reader.
            wants: Returns True if the reader wants a part.
        """

    @abstractmethod
    def release(self, lag: Lag) -> None:
        """Let the run go on without a reader that held it back; from any thread, or a finalizer."""

    @abstractmethod
    def joined(self, reader: object) -> None:
        """Record that somebody reads the run, who is in this thread at the moment."""

    @abstractmethod
    def left(self, reader: object, *, dropped: bool = False) -> None:
        """Record that a reader has gone.

        Args:
            reader: The reader.
            dropped: It was collected, maybe in the middle of anything.
        """

    @abstractmethod
    def check_loop(self) -> None:
        """End the run if it was on an event loop that is closed."""

    def running(self) -> Tuple[RunningTask, ...]:
        """Return the tasks that run, as far as they are known."""
        return ()

    @abstractmethod
    def partial_now(self) -> Partial:
        """Return the result so far."""

    def unstreamed_now(self) -> Sequence[Unstreamed]:
        """Return the model calls that were not streamed so far, as far as they are known."""
        return ()

    # How its end is awaited

    def is_over(self) -> bool:
        """Return True if the run has ended."""
        return self.log.status in ENDED

    def output(self) -> object:
        """Return the output of a run that has ended.

        Raises:
            RunCancelledError: It was cancelled.
            BaseException: The error with which it has failed.
        """
        self.raise_error()
        if self._output is UNKNOWN:
            raise RunCancelledError("The run was cancelled, so it has no result", hint="run.partial is what it made.")
        return self._output

    def raise_error(self) -> None:
        """Raise the error with which the run has failed, if it has."""
        error = self._error
        if error is not None:
            # Each reader raises the same exception, whose traceback would grow each time.
            raise error.with_traceback(self._traceback)

    def join(self, timeout: Optional[float] = None) -> bool:
        """Wait in this thread until the run has ended; return False if `timeout` seconds have passed before.

        Raises:
            EventLoopError: The run is on the event loop of this thread, which cannot go on meanwhile.
        """
        if self.is_over():
            return True
        self.refuse_own_loop()
        waiter, deadline = ThreadWaiter(), None if timeout is None else monotonic() + timeout
        self._joining[id(waiter)] = HERE.link
        try:
            while not self.is_over():
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    return False
                self._ended.add(waiter)
                if self.is_over():
                    break
                waiter.wait(self.patience(left))
                self.check_loop()
        finally:
            del self._joining[id(waiter)]
            self._ended.discard(waiter)
        return True

    async def ajoin(self) -> None:
        """Wait, on any event loop, until the run has ended."""
        loop = asyncio.get_running_loop()
        while not self.is_over():
            waiter = LoopWaiter(loop)
            self._joining[id(waiter)] = HERE.link
            self._ended.add(waiter)
            # A run on another loop may never end: that loop can be closed.
            watch = None if self.patience(None) is None else loop.call_later(CHECK_SECONDS, waiter.wake)
            try:
                if not self.is_over():
                    await waiter.woken
            finally:
                del self._joining[id(waiter)]
                self._ended.discard(waiter)
                if watch is not None:
                    watch.cancel()
            self.check_loop()

    def patience(self, seconds: Optional[float]) -> Optional[float]:
        """Return how many seconds somebody should wait before he checks the loop of the run again.

        Args:
            seconds: How long he would wait at most; `None` for no limit.
        """
        if self.loop is None or self.loop is current_loop():
            return seconds
        return CHECK_SECONDS if seconds is None else min(seconds, CHECK_SECONDS)

    def refuse_own_loop(self) -> None:
        """Raise if this thread may not wait for the run, because it has to drive it.

        Raises:
            EventLoopError: The run is on the event loop of this thread.
        """
        if self.loop is not None and self.loop is current_loop():
            raise EventLoopError(
                "The run is on this event loop, which cannot go on while its thread waits for the run",
                hint="Await it: `await run` for the result, `async for` over run.astream(...) for its stream.",
            )
