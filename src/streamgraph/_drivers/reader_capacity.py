"""The capacity of a started run: readers that ask for it hold back what the run makes."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Callable

from streamgraph._drivers.handover import never_block
from streamgraph._drivers.recorder import Lag, Recorder
from streamgraph._drivers.waiting import LoopWaiter, ThreadWaiter, Waiters
from streamgraph._propagation import on_loop
from streamgraph._streams.backpressure import Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.part import Part


class ReaderCapacity:
    """The capacity of a started run, limited by the readers that hold it back; usually there is none.

    Args:
        recorder: Takes the parts of the run to its log.
        put: Takes a part to the recorder.
    """

    def __init__(self, recorder: Recorder, put: Put) -> None:
        self._recorder = recorder
        self._to_log = put
        self._room = Waiters()
        self._closed = False

    def join(self, limit: int, wants: Callable[[Part], bool]) -> Lag:
        """Let a reader hold the run back.

        Args:
            limit: The most parts that may wait for the reader.
            wants: Returns True if the reader wants a part.
        """
        lag = Lag(limit, wants, self._room)
        self._recorder.join(lag)
        return lag

    def leave(self, lag: Lag) -> None:
        """Let the run go on without a reader; from any thread, or a finalizer."""
        lag.left = True
        self._room.wake()

    @property
    def full(self) -> bool:
        """True if a producer should wait before it emits a part."""
        return bool(self._recorder.lags) and self.held and not never_block.get()

    @property
    def held(self) -> bool:
        """True if a reader is as far behind as it may be."""
        return not (self._closed or all(lag.leaves_room() for lag in self._recorder.lags))

    async def wait(self) -> None:
        """Wait, on any event loop, until there is room for a part."""
        while self.full:
            waiter = LoopWaiter(asyncio.get_running_loop())
            self._room.add(waiter)
            try:
                if self.full:
                    await waiter.woken
            finally:
                self._room.discard(waiter)

    def wait_in_thread(self, stop: CancelToken) -> None:
        """Wait until there is room for a part, or until `stop` is set."""
        if not self.full:
            return
        waiter = ThreadWaiter()
        stop.on_set(waiter.wake)
        try:
            while self.full and not stop.is_set:
                self._room.add(waiter)
                if self.full:
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
        self._to_log = self._recorder.put
        self._room.wake()

    def _put(self, stop: CancelToken, part: Part) -> None:
        if self._recorder.lags and self.full and not on_loop():
            self.wait_in_thread(stop)
            stop.check()
        self._to_log(part)
