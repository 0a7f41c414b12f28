"""Where parts wait for a slow consumer, and where those who make them wait for room."""

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
    """What one reader has yet to take, with limited room for parts.

    A thread that has a part too many waits until it is taken, or until the work is to end. Code on which the reader
    itself depends is never kept waiting: what it makes is taken in, be it one too many, and it may `wait` if it can.

    Args:
        queue: What is kept, and how.
        wake: Is called when something has come.
        is_reader: Whether the reader depends on the thread that calls this.
    """

    def __init__(self, queue: OverflowQueue, wake: Callable[[], None], is_reader: Callable[[], bool]) -> None:
        self._queue = queue
        self._wake = wake
        self._is_reader = is_reader
        # Reentrant, for a stream may be collected at any point, and closes its buffer then.
        self._lock = threading.RLock()
        self._vacant = threading.Condition(self._lock)
        self._awaiting: List[Tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._closed = False

    @property
    def parts(self) -> int:
        """How many parts wait for the reader."""
        return self._queue.parts

    @property
    def empty(self) -> bool:
        """Whether there is nothing to take."""
        return self._queue.empty

    @property
    def full(self) -> bool:
        """Whether whoever emits a part now ought to wait first."""
        return self._queue.full and not self._closed and not never_block.get()

    def put(self, item: Any) -> None:
        """Add the end of a task, or a part for which nobody can wait."""
        with self._lock:
            self._queue.append(item)
        self._wake()

    def sender(self, stop: CancelToken) -> Put:
        """Return the way in for some work: a thread waits there while it is full, but not once the work is to end."""
        return partial(self._enter, stop)

    def take(self) -> Any:
        """Return what comes next, or `None` if there is nothing."""
        with self._lock:
            item = self._queue.pop()
            if item is not None and self._queue.parts < self._queue.limit:
                self._vacant.notify()
                self._release()
        return item

    async def wait(self) -> None:
        """Wait, on any event loop, until less waits for the reader than may, or until it reads no more."""
        loop = asyncio.get_running_loop()
        while not never_block.get():
            with self._lock:
                if self._closed or self._queue.parts < self._queue.limit:
                    return
                capacity = loop.create_future()
                self._awaiting.append((loop, capacity))
            await capacity

    def close(self) -> None:
        """Let nobody wait any more: there is no reader."""
        with self._lock:
            self._closed = True
            self._stir()
            self._release()

    def _enter(self, stop: CancelToken, part: Part) -> None:
        with self._lock:
            there = not self._closed and self._queue.offer(part)
            if not there and not self._closed and (self._is_reader() or never_block.get()):
                self._queue.append(part)
                there = True
        if not there:
            self._enter_later(stop, part)
        self._wake()

    def _enter_later(self, stop: CancelToken, part: Part) -> None:
        _to_be_closed(self)
        stop.on_set(self._stir)
        try:
            with self._lock:
                while not self._closed and not stop.is_set:
                    if self._queue.offer(part):
                        return
                    self._vacant.wait()
                # It may be this thread that was told of room; somebody else can have it.
                self._vacant.notify()
        finally:
            stop.forget(self._stir)
        if not stop.is_set:
            raise StreamClosed("nobody reads this stream any more")
        stop.check()

    def _stir(self) -> None:
        """Let those who wait look again whether they still should."""
        with self._lock:
            self._vacant.notify_all()

    def _release(self) -> None:
        """Let coroutines look again whether there is room."""
        if not self._awaiting:
            return
        waiting, self._awaiting = self._awaiting, []
        running = _running_loop()
        for loop, capacity in waiting:
            if loop is running:
                _end(capacity)
            else:
                with suppress(RuntimeError):  # the loop is closed, and nothing on it waits
                    loop.call_soon_threadsafe(_end, capacity)


def _running_loop() -> Optional[asyncio.AbstractEventLoop]:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:  # there is none in this thread
        return None


def _end(capacity: asyncio.Future[None]) -> None:
    if not capacity.done():
        capacity.set_result(None)


# A stream that is still referred to when the interpreter ends would keep it from ending: it waits for all threads, and
# those wait for a reader.
_open: WeakSet[BoundedBuffer] = WeakSet()
_registered = False


def _to_be_closed(buffer: BoundedBuffer) -> None:
    global _registered
    _open.add(buffer)
    if not _registered:
        _registered = True
        before_threads_are_awaited(_close_all)


def _close_all() -> None:
    for buffer in tuple(_open):
        buffer.close()
