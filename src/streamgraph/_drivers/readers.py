"""Readers of a started run, in a thread and on an event loop."""

from __future__ import annotations

import asyncio
import threading
from time import monotonic
from types import TracebackType
from typing import Callable, Generic, Iterator, List, Optional, Tuple, Type, TypeVar
from weakref import WeakMethod

from streamgraph._drivers.clock import ConsumerClock
from streamgraph._drivers.cursor import Cursor, Found, Shape
from streamgraph._drivers.generator_api import AsyncGeneratorStream, GeneratorStream
from streamgraph._drivers.readable_run import ReadableRun
from streamgraph._drivers.waiting import LoopWaiter, ThreadWaiter, Waiter
from streamgraph._streams.event_log import BATCH, RunStatus, event_id
from streamgraph._streams.flow import FlowControl
from streamgraph._streams.formats import ChunkForm
from streamgraph.errors import StreamBusyError, StreamOverflowError

ChunkT = TypeVar("ChunkT", covariant=True)


class _Reading(Generic[ChunkT]):
    """What both readers have in common.

    Args:
        run: The run.
        cursor: What the reader gets of it.
        shape: Makes a chunk of a heartbeat.
        flow: What the reader asked for.
        after: The number of the event after which it begins.

    Attributes:
        form: The form of its chunks, if somebody asked for one.
    """

    form: Optional[ChunkForm] = None

    # Class attributes, for `__del__` after an interrupted `__init__`.
    _closed = True

    def __init__(self, run: ReadableRun, cursor: Cursor, shape: Shape, flow: FlowControl, after: int) -> None:
        self._run = run
        self._cursor = cursor
        self._shape = shape
        self._number = after
        self._ready: Iterator[Tuple[int, ChunkT]] = iter(())
        self._heartbeat = flow.heartbeat
        self._clock = None if flow.heartbeat is None else ConsumerClock(FlowControl(heartbeat=flow.heartbeat))
        self._waiter: Optional[Waiter] = None
        # Held while a chunk is being waited for; never waited for itself.
        self._pull_lock = threading.Lock()
        self._closed = False
        run.joined(self)

    def __del__(self) -> None:
        if not self._closed:
            self._closed = True
            self._cursor.leave()
            self._run.left(self, dropped=True)

    @property
    def id(self) -> str:
        """The id of the event whose chunk was read last: `"<attempt>-<number>"`; give it as `after=` to go on there.

        Before the first chunk it is the id of the event after which the reader begins.
        """
        return event_id(self._run.log.attempt, self._number)

    @property
    def run_status(self) -> RunStatus:
        """The state of the run that is read; see `RunHandle.status`."""
        return self._run.log.status

    def __repr__(self) -> str:
        modes = "" if self.form is None else f", {', '.join(sorted(self.form.shown))}"
        return f"<{type(self).__name__}: after {self.id}{modes}>"

    def _is_open(self) -> bool:
        return not self._closed

    def _leave(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._cursor.leave()
        waiter = self._waiter
        if waiter is not None:
            waiter.wake()
        self._run.left(self)

    def _acquire(self) -> None:
        if not self._pull_lock.acquire(blocking=False):
            raise StreamBusyError("another thread or task")

    def _fetch(self) -> Found:
        """Return the next chunks; none if there are none now.

        Raises:
            StreamOverflowError: More chunks wait than the reader allows.
            BaseException: The run has failed, and there is nothing left to read.
        """
        try:
            found = self._cursor.fetch()
        except StreamOverflowError:
            self._leave()
            raise
        if not found and self._cursor.over:
            self._leave()
            self._run.raise_error()
        return found

    def _beat(self) -> Optional[ChunkT]:
        """Return a heartbeat if one is due."""
        if self._clock is None:
            return None
        part = self._clock.poll(self._run.running)
        return None if part is None else self._shape(part)  # type: ignore[return-value]

    def _seconds_left(self) -> Optional[float]:
        """Return how long to wait at most."""
        return self._run.patience(None if self._clock is None else self._clock.seconds_left())


class RunReader(_Reading[ChunkT], GeneratorStream[ChunkT]):
    """The chunks of a started run, for one reader in a thread.

    An iterator and a context manager, like the stream of a run. Leaving the `with` block, `close()` or dropping the
    reader ends the reading, not the run. It may be pulled from different threads, one at a time.
    """

    def __iter__(self) -> RunReader[ChunkT]:
        return self

    def __next__(self) -> ChunkT:
        for number, chunk in self._ready:
            self._number = number
            return chunk
        return self._next()

    def _next(self) -> ChunkT:
        if self._closed:
            raise StopIteration
        self._acquire()
        try:
            self._run.joined(self)
            if self._clock is not None:
                self._clock.pull()
            while self._is_open():
                found = self._fetch()
                if found:
                    self._ready = iter(found)
                    self._number, chunk = next(self._ready)
                    return chunk
                beat = self._beat()
                if beat is not None:
                    return beat
                if self._is_open():
                    self._wait()
        finally:
            self._pull_lock.release()
            if not self._is_open():
                self._run.left(self)
        raise StopIteration

    def _wait(self) -> None:
        run = self._run
        run.refuse_own_loop()
        waiter = self._waiter = ThreadWaiter()
        run.changed.add(waiter)
        try:
            if self._cursor.waits and self._is_open():
                waiter.wait(self._seconds_left())
        finally:
            self._waiter = None
            run.changed.discard(waiter)
        run.check_loop()

    def __enter__(self) -> RunReader[ChunkT]:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the reading; from any thread."""
        self._ready = iter(())
        self._leave()

    @property
    def gi_running(self) -> bool:
        """True while a chunk is being waited for."""
        return self._pull_lock.locked()

    @property
    def gi_suspended(self) -> bool:
        """True if there may be more to read and nobody waits for it."""
        return not (self._closed or self.gi_running)


class AsyncRunReader(_Reading[ChunkT], AsyncGeneratorStream[ChunkT]):
    """The chunks of a started run, for one reader on an event loop, which need not be that of the run.

    An async iterator and context manager, like the stream of a run. Leaving the `async with` block, `aclose()`,
    cancelling the task that waits for a chunk, or dropping the reader ends the reading, not the run.

    Attributes:
        delay: Seconds that the event loop took to get to the reader after what it had waited for; 0 if it did not wait.
    """

    def __init__(self, run: ReadableRun, cursor: Cursor, shape: Shape, flow: FlowControl, after: int) -> None:
        super().__init__(run, cursor, shape, flow, after)
        self._timer: Optional[asyncio.TimerHandle] = None
        self._timer_loop: Optional[asyncio.AbstractEventLoop] = None
        self._has_waited = True
        self.delay = 0.0

    def __aiter__(self) -> AsyncRunReader[ChunkT]:
        return self

    async def __anext__(self) -> ChunkT:
        for number, chunk in self._ready:
            self._number = number
            return chunk
        found = await self._more()
        if not found:
            raise StopAsyncIteration
        self._ready = iter(found)
        self._number, chunk = next(self._ready)
        return chunk

    async def _more(self) -> Found:
        """Wait for chunks, or for the time of a heartbeat; none are returned when there is nothing more to read."""
        if not self._is_open():
            return []
        self._acquire()
        try:
            self._run.joined(self)
            if not self._has_waited:
                # Otherwise a reader of a long log would block the loop until it has read all.
                await asyncio.sleep(0)
            self._has_waited = False
            self.delay = 0.0
            if self._clock is not None:
                self._clock.pull()
            while not self._closed:
                found = self._fetch()
                if found:
                    return found
                if self._timer is None:  # it is time to look, or nobody has looked yet
                    beat = self._beat()
                    if beat is not None:
                        return [(self._number, beat)]
                if not self._closed:
                    await self._wait()
        finally:
            self._pull_lock.release()
            if not self._is_open():
                self._run.left(self)
        return []

    async def batch(self) -> List[Tuple[str, ChunkT]]:
        """Wait for a chunk, and return it with those that follow it without waiting, each with the id of its event.

        The list is empty when there is nothing more to read. A server sends what belongs together in one write.

        Raises:
            StreamOverflowError: More chunks wait than the reader allows.
            BaseException: The run has failed, and there is nothing left to read.
        """
        attempt = self._run.log.attempt
        return [(event_id(attempt, number), chunk) for number, chunk in await self.numbered()]

    async def numbered(self) -> List[Tuple[int, ChunkT]]:
        """Wait for chunks as `batch` does; each comes with the number of its event, the last part of the id."""
        found = list(self._ready)
        if not found:
            found = await self._more()
            if not found:
                return found
            # A reader that holds the run back is given its events one by one; these are all for its caller.
            while self._cursor.holds and len(found) < BATCH and not self._cursor.waits:
                more = self._cursor.fetch()
                if not more:
                    break
                found += more
        self._number = found[-1][0]
        return found

    def make_tokens(self, maker: Callable[[ChunkT], Optional[Callable[[str], object]]]) -> None:
        """Make what is read of tokens in another way, at once for all tokens that differ only in their text.

        A server writes the same names and the same metadata for each token of a message; so it writes them once.
        The log of the run has to keep tokens as texts, as a `MemoryLog` does; and with a `max_buffer` that drops or
        merges tokens, they are read as always.

        Args:
            maker: Is called with a token whose text is empty, for each message and each kind of token in it. It
                returns a function that is called with a text and returns what is read instead of the token; or `None`
                if these tokens are read as always.
        """
        self._cursor.make_tokens(maker)

    async def _wait(self) -> None:
        run, loop = self._run, asyncio.get_running_loop()
        waiter = self._waiter = LoopWaiter(loop)
        run.changed.add(waiter)
        try:
            if self._cursor.waits and not self._closed:
                if self._timer is None or self._timer_loop is not loop:
                    seconds = self._seconds_left()
                    if seconds is not None:
                        # It goes on over many events, since a timer for each would cost more than the event.
                        self._timer_loop = loop
                        self._timer = loop.call_later(seconds, _call, WeakMethod(self._on_time))
                self._has_waited = True
                await waiter.woken
                self.delay = monotonic() - waiter.woken_at
        finally:
            self._waiter = None
            run.changed.discard(waiter)

    def _on_time(self) -> None:
        self._timer = None
        self._run.check_loop()
        waiter = self._waiter
        if waiter is not None:
            waiter.wake()

    async def __aenter__(self) -> AsyncRunReader[ChunkT]:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the reading."""
        self._ready = iter(())
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._leave()

    @property
    def ag_running(self) -> bool:
        """True while a chunk is being waited for."""
        return self._pull_lock.locked()

    @property
    def ag_suspended(self) -> bool:
        """True if there may be more to read and nobody waits for it."""
        return not (self._closed or self.ag_running)


def _call(method: WeakMethod[Callable[[], None]]) -> None:
    found = method()
    if found is not None:
        found()
