"""The inbox of the asyncio driver: items come from its loop or from any thread."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Deque, Optional

from streamgraph._drivers.buffer import BoundedBuffer
from streamgraph._drivers.overflow import OverflowQueue
from streamgraph._streams.part import Part


class AsyncInbox:
    """A FIFO queue with one consumer on an event loop and producers anywhere.

    Items are appended immediately by every producer, so their order is that of the calls; only waking the consumer
    depends on the thread.
    """

    __slots__ = ("_items", "_waiter", "_woken", "loop")

    def __init__(self) -> None:
        self._items: Deque[Any] = deque()
        self.loop: Optional[asyncio.AbstractEventLoop] = None
        self._waiter: Optional[asyncio.Future[None]] = None
        self._woken: Optional[asyncio.Future[None]] = None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the loop of the consumer."""
        self.loop = loop

    def put(self, item: Any) -> None:
        """Add an item; from any thread."""
        self._items.append(item)
        self.wake()

    def wake(self) -> None:
        """Make the consumer check the inbox again; from any thread."""
        waiter, loop = self._waiter, self.loop
        if waiter is None or loop is None:
            return
        if self.on_loop():
            _release(waiter)
        elif waiter is not self._woken and not loop.is_closed():
            # One call per waiter: each costs the loop a turn. The waiter is not cleared here, because by now the
            # consumer may wait with a new one, which the next producer has to find.
            self._woken = waiter
            loop.call_soon_threadsafe(_release, waiter)

    def on_loop(self) -> bool:
        """Return True if the caller runs on the consumer's loop."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    @property
    def empty(self) -> bool:
        """True if there is nothing to take."""
        return not self._items

    @property
    def parts(self) -> int:
        """Number of parts in the inbox."""
        return sum(isinstance(item, Part) for item in tuple(self._items))

    def take(self) -> Any:
        """Remove and return the next item, or return `None` if there is none."""
        return self._items.popleft() if self._items else None

    async def wait(self, timeout: Optional[float] = None) -> None:
        """Wait until there may be an item, or until `timeout` seconds have passed."""
        assert self.loop is not None
        self._waiter = waiter = self.loop.create_future()
        timer = None if timeout is None else self.loop.call_later(timeout, _release, waiter)
        try:
            # A thread may have added an item before the waiter existed.
            if self.empty:
                await waiter
        finally:
            self._waiter = self._woken = None
            if timer is not None:
                timer.cancel()


class BoundedAsyncInbox(AsyncInbox):
    """An `AsyncInbox` with a limited number of parts.

    Args:
        queue: Holds the items and implements the overflow policy.
    """

    __slots__ = ("capacity",)

    def __init__(self, queue: OverflowQueue) -> None:
        super().__init__()
        self.capacity = BoundedBuffer(queue, self.wake, self.on_loop)
        """The limited buffer that holds the items."""

    def put(self, item: Any) -> None:
        """Add an item without blocking; from any thread."""
        self.capacity.put(item)

    @property
    def empty(self) -> bool:
        """True if there is nothing to take."""
        return self.capacity.empty

    @property
    def parts(self) -> int:
        """Number of parts in the inbox."""
        return self.capacity.parts

    def take(self) -> Any:
        """Remove and return the next item, or return `None` if there is none."""
        return self.capacity.take()


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
