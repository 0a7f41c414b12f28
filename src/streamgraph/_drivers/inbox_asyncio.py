"""Where an event loop waits for what tasks send, from the loop itself or from any thread."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Deque, Optional

from streamgraph._drivers.buffer import BoundedBuffer
from streamgraph._drivers.overflow import OverflowQueue
from streamgraph._streams.part import Part


class AsyncInbox:
    """A first-in first-out queue with one reader on an event loop and writers anywhere.

    Items are appended at once, whoever sends them, so their order is the order of the calls; only waking
    the reader depends on the thread.
    """

    __slots__ = ("_items", "_rung", "_waiter", "loop")

    def __init__(self) -> None:
        self._items: Deque[Any] = deque()
        self.loop: Optional[asyncio.AbstractEventLoop] = None
        self._waiter: Optional[asyncio.Future[None]] = None
        self._rung: Optional[asyncio.Future[None]] = None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say on which loop the reader is."""
        self.loop = loop

    def put(self, item: Any) -> None:
        """Add an item; from any thread."""
        self._items.append(item)
        self.wake()

    def wake(self) -> None:
        """Let the reader look again; from any thread."""
        waiter, loop = self._waiter, self.loop
        if waiter is None or loop is None:
            return
        if self.on_loop():
            _release(waiter)
        elif waiter is not self._rung and not loop.is_closed():
            # Once is enough, and each time costs the loop a turn. The waiter is left in its place: by now the reader
            # may wait with another one, and whoever comes next has to find that.
            self._rung = waiter
            loop.call_soon_threadsafe(_release, waiter)

    def on_loop(self) -> bool:
        """Whether this is called on the reader's loop."""
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    @property
    def empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._items

    @property
    def parts(self) -> int:
        """How many parts wait."""
        return sum(type(item) is Part for item in tuple(self._items))

    def take(self) -> Any:
        """Return the next item, or `None` if there is none."""
        return self._items.popleft() if self._items else None

    async def wait(self, timeout: Optional[float] = None) -> None:
        """Wait until there may be an item, or until so many seconds have passed."""
        assert self.loop is not None
        self._waiter = waiter = self.loop.create_future()
        timer = None if timeout is None else self.loop.call_later(timeout, _release, waiter)
        try:
            # A thread may have put something before the waiter was there to be woken.
            if self.empty:
                await waiter
        finally:
            self._waiter = self._rung = None
            if timer is not None:
                timer.cancel()


class BoundedAsyncInbox(AsyncInbox):
    """The same with limited room for parts.

    Args:
        store: What is kept, and how.
    """

    __slots__ = ("capacity",)

    def __init__(self, store: OverflowQueue) -> None:
        super().__init__()
        self.capacity = BoundedBuffer(store, self.wake, self.on_loop)
        """The room there is for parts."""

    def put(self, item: Any) -> None:
        """Add an item; from any thread."""
        self.capacity.put(item)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to take."""
        return self.capacity.empty

    @property
    def parts(self) -> int:
        """How many parts wait."""
        return self.capacity.parts

    def take(self) -> Any:
        """Return the next item, or `None` if there is none."""
        return self.capacity.take()


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
