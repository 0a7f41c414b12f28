"""A thread-safe buffer of limited size between the tasks of a run and its consumer."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import Any, Callable, List, Optional, Tuple
from weakref import WeakSet

from streamgraph._compat.cpython import before_threads_are_awaited
from streamgraph._drivers.handover import never_block
from streamgraph._drivers.overflow import OverflowQueue
from streamgraph._streams.backpressure import Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.part import Part
from streamgraph.errors import StreamClosed


class BoundedBuffer:
    """Queue of parts and events for one consumer, with a limited number of parts.

    A thread that puts one part too many blocks until the consumer has taken one, or until the thread's cancel token is
    set. Code that the consumer itself waits for never blocks: its parts are accepted beyond the limit, and async code
    may `wait`.

    Args:
        queue: Holds the items and implements the overflow policy.
        wake: Called after an item was added.
        is_reader: Returns True if the consumer waits for the calling thread.
    """

    def __init__(self, queue: OverflowQueue, wake: Callable[[], None], is_reader: Callable[[], bool]) -> None:
        self._queue = queue
        self._wake = wake
        self._is_reader = is_reader
        # Reentrant: the collector may drop a stream at any point in this thread, which closes its buffer.
        self._lock = threading.RLock()
        self._vacant = threading.Condition(self._lock)
        self._waiters: List[Tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._closed = False

    @property
    def parts(self) -> int:
        """Number of parts in the buffer."""
        return self._queue.parts

    @property
    def empty(self) -> bool:
        """True if there is nothing to take."""
        return self._queue.empty

    @property
    def full(self) -> bool:
        """True if a producer should wait before it emits a part."""
        return self._queue.full and not self._closed and not never_block.get()

    def put(self, item: Any) -> None:
        """Add an event, or a part whose producer cannot wait; never blocks."""
        with self._lock:
            self._queue.append(item)
        self._wake()

    def sender(self, stop: CancelToken) -> Put:
        """Return a `Put` that blocks while the buffer is full, until `stop` is set."""
        return partial(self._put_blocking, stop)

    def take(self) -> Any:
        """Remove and return the next item, or return `None` if there is none."""
        with self._lock:
            item = self._queue.pop()
            if item is not None and self._queue.parts < self._queue.limit:
                self._vacant.notify()
                self._wake_coroutines()
        return item

    async def wait(self) -> None:
        """Wait, on any event loop, until there is room for a part or the buffer is closed."""
        loop = asyncio.get_running_loop()
        while not never_block.get():
            with self._lock:
                if self._closed or self._queue.parts < self._queue.limit:
                    return
                waiter = loop.create_future()
                self._waiters.append((loop, waiter))
            await waiter

    def close(self) -> None:
        """Unblock all producers; there is no consumer any more."""
        with self._lock:
            self._closed = True
            self._wake_threads()
            self._wake_coroutines()

    def _put_blocking(self, stop: CancelToken, part: Part) -> None:
        with self._lock:
            accepted = not self._closed and self._queue.offer(part)
            if not accepted and not self._closed and (self._is_reader() or never_block.get()):
                self._queue.append(part)
                accepted = True
        if not accepted:
            self._wait_and_put(stop, part)
        self._wake()

    def _wait_and_put(self, stop: CancelToken, part: Part) -> None:
        _close_at_exit(self)
        stop.on_set(self._wake_threads)
        try:
            with self._lock:
                while not self._closed and not stop.is_set:
                    if self._queue.offer(part):
                        return
                    self._vacant.wait()
                # This thread may have consumed the notification of a vacancy: pass it on to another one.
                self._vacant.notify()
        finally:
            stop.forget(self._wake_threads)
        if not stop.is_set:
            raise StreamClosed("nobody reads this stream any more")
        stop.check()

    def _wake_threads(self) -> None:
        """Make blocked threads check their conditions again."""
        with self._lock:
            self._vacant.notify_all()

    def _wake_coroutines(self) -> None:
        """Make waiting coroutines check again if there is room."""
        if not self._waiters:
            return
        waiting, self._waiters = self._waiters, []
        running = _running_loop()
        for loop, waiter in waiting:
            if loop is running:
                _resolve(waiter)
            else:
                with suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(_resolve, waiter)


def _running_loop() -> Optional[asyncio.AbstractEventLoop]:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:  # no loop runs in this thread
        return None


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


# Open buffers that a thread may wait for. The interpreter joins all threads before it ends, and a thread that waits for
# a consumer would block it for ever if the stream is still referenced.
_open: WeakSet[BoundedBuffer] = WeakSet()
_registered = False


def _close_at_exit(buffer: BoundedBuffer) -> None:
    global _registered
    _open.add(buffer)
    if not _registered:
        _registered = True
        before_threads_are_awaited(_close_all)


def _close_all() -> None:
    for buffer in tuple(_open):
        buffer.close()
