"""Waiting for something that another thread or event loop does, in a thread or on a loop."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from time import monotonic
from typing import List, Optional, Union


class ThreadWaiter:
    """A thread that waits."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wake(self) -> None:
        """Let the thread go on; from any thread."""
        with suppress(RuntimeError):  # it has been woken already
            self._lock.release()

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until it is woken; return False if `timeout` seconds have passed before."""
        return self._lock.acquire(timeout=-1 if timeout is None else min(timeout, threading.TIMEOUT_MAX))


class LoopWaiter:
    """An asyncio task that waits.

    Args:
        loop: Its loop.

    Attributes:
        woken: The future to await.
        woken_at: When it was woken, on the monotonic clock.
    """

    __slots__ = ("_loop", "woken", "woken_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.woken: asyncio.Future[None] = loop.create_future()
        self.woken_at = 0.0

    def wake(self) -> None:
        """Let the task go on; from any thread."""
        self.woken_at = monotonic()
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:  # no loop runs in this thread
            here = False
        if here:
            self._resolve()
        else:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


Waiter = Union[ThreadWaiter, LoopWaiter]


class Waiters:
    """Those who wait for a change.

    Who waits registers first and then looks if there is anything to wait for. So no change is missed, although there is
    no lock: the collector may end a reader at any point, inside a lock as well.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: List[Waiter] = []

    def add(self, waiter: Waiter) -> None:
        """Register a waiter for the next change."""
        self._waiting.append(waiter)

    def discard(self, waiter: Waiter) -> None:
        """Forget a waiter that has gone."""
        if self._waiting:  # otherwise it has been woken
            with suppress(ValueError):
                self._waiting.remove(waiter)

    def wake(self) -> None:
        """Wake all: something has changed; from any thread."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                waiter.wake()
