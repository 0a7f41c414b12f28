"""The capacity of a started run: readers that ask for it hold back what the run makes."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Callable, Tuple, Union

from streamgraph._drivers.handover import never_block
from streamgraph._drivers.inbox_asyncio import AsyncInbox
from streamgraph._drivers.inbox_threads import AnyInbox
from streamgraph._drivers.waiting import LoopWaiter, ThreadWaiter, Waiters
from streamgraph._propagation import on_loop
from streamgraph._streams.backpressure import Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.event_log import EventLog
from streamgraph._streams.part import Part


class Lag:
    """How far a reader that holds the run back is behind it.

    Args:
        limit: The most parts that may wait for the reader.
        wants: Returns True if the reader wants a part.

    Attributes:
        since: The number of the last event before those that count.
    """

    __slots__ = ("_limit", "_made", "_room", "_taken", "since", "wants")

    def __init__(self, limit: int, wants: Callable[[Part], bool], room: Waiters) -> None:
        self.wants = wants
        self.since = 0
        self._limit = limit
        self._made = 0
        self._taken = 0
        self._room = room

    def made(self) -> None:
        """Record that a part was made which the reader wants."""
        self._made += 1

    def took(self, number: int) -> None:
        """Record that the reader has taken an event."""
        if number > self.since:
            self._taken += 1
            self._room.wake()

    def leaves_room(self, coming: int = 0) -> bool:
        """Return True if the reader can keep up with one part more.

        Args:
            coming: Number of parts that were made but are not in the log yet.
        """
        return self._made - self._taken + coming < self._limit


class ReaderCapacity:
    """The capacity of a started run, limited by the readers that hold it back; usually there is none.

    Args:
        log: The event log of the run.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._lags: Tuple[Lag, ...] = ()
        self._room = Waiters()
        # Reentrant: the collector may drop a reader at any point in this thread.
        self._lock = threading.RLock()
        self._closed = False
        self._inbox: Union[AnyInbox, AsyncInbox]

    def open(self, inbox: Union[AnyInbox, AsyncInbox]) -> None:
        """Set the inbox from which the parts of the tasks go to the log."""
        self._inbox = inbox

    def append(self, part: Part) -> int:
        """Add a part to the log; return its number."""
        with self._lock:
            number = self._log.append(part)
            for lag in self._lags:
                if lag.wants(part):
                    lag.made()
        return number

    def join(self, limit: int, wants: Callable[[Part], bool]) -> Lag:
        """Let a reader hold the run back.

        Args:
            limit: The most parts that may wait for the reader.
            wants: Returns True if the reader wants a part.
        """
        lag = Lag(limit, wants, self._room)
        with self._lock:
            lag.since = self._log.last
            self._lags = (*self._lags, lag)
        return lag

    def leave(self, lag: Lag) -> None:
        """Let the run go on without a reader."""
        with self._lock:
            self._lags = tuple(other for other in self._lags if other is not lag)
        self._room.wake()

    @property
    def held(self) -> bool:
        """True if the run should make no more parts now."""
        return not (self._closed or all(lag.leaves_room() for lag in self._lags))

    @property
    def full(self) -> bool:
        """True if a producer should wait before it emits a part."""
        if not self._lags or self._closed or never_block.get():
            return False
        coming = self._inbox.parts
        return not all(lag.leaves_room(coming) for lag in self._lags)

    async def wait(self) -> None:
        """Wait, on any event loop, until there is room for a part."""
        while self.full or (self.held and not never_block.get()):
            waiter = LoopWaiter(asyncio.get_running_loop())
            self._room.add(waiter)
            try:
                if self.full or self.held:
                    await waiter.woken
            finally:
                self._room.discard(waiter)

    def wait_in_thread(self, stop: CancelToken) -> None:
        """Wait until there is room for a part, or until `stop` is set."""
        waiter = ThreadWaiter()
        stop.on_set(waiter.wake)
        try:
            while (self.full or self.held) and not stop.is_set:
                self._room.add(waiter)
                if self.full or self.held:
                    waiter.wait()
        finally:
            stop.forget(waiter.wake)
            self._room.discard(waiter)

    def sender(self, stop: CancelToken) -> Put:
        """Return a `Put` for work in a thread, which waits for slow readers until `stop` is set."""
        return partial(self._put, stop)

    def close(self) -> None:
        """Hold nothing back any more: the run has ended."""
        self._closed = True
        self._room.wake()

    def _put(self, stop: CancelToken, part: Part) -> None:
        if self._lags and self.full and not on_loop():
            self.wait_in_thread(stop)
            stop.check()
        self._inbox.put(part)
