"""Gate that a test opens for one token at a time."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Callable, Deque, Iterator, Optional, Type

__all__ = ["Gate", "GateTimeoutError"]


class GateTimeoutError(AssertionError, TimeoutError):
    """A wait at a gate, or for an arrival at a gate, exceeded its limit."""


class _Waiter:
    """A waiting thread or coroutine; `done` is True once it may continue."""

    __slots__ = ("_wake", "done")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.done = False
        self._wake = wake

    def release(self) -> None:
        self.done = True
        self._wake()


class Gate:
    """Pauses a model, or any code under test, and lets it continue step by step.

    A test of the events *between* two tokens passes a gate to the model. The model stops before each token until the
    test lets it continue, so the test controls the order of events and never sleeps::

        gate = Gate()
        model = ScriptedModel(["one two three"], gate=gate)
        ...                       # start the graph in a thread or in an asyncio task
        gate.wait_for_arrival()   # the model is about to send its first token
        gate.open()               # it sends this one, and stops before the second
        gate.open_all()           # it sends the rest

    A gate can be used from several threads and event loops at the same time. Waiters pass in the order of their
    arrival. An opening without a waiter is kept for the next arrival.

    As a context manager, a gate opens permanently at the end of the block, so that no waiter is left when a test fails.

    Args:
        timeout: The limit in seconds of a wait at the gate, or for an arrival.
    """

    def __init__(self, timeout: float = 30.0) -> None:
        self.timeout = timeout
        self._lock = threading.Lock()
        self._at_gate: Deque[_Waiter] = deque()
        self._observers: Deque[_Waiter] = deque()
        self._permits = 0
        self._open = False
        self._passed = 0

    @property
    def waiting(self) -> int:
        """Number of threads and coroutines currently waiting at the gate."""
        with self._lock:
            return len(self._at_gate)

    @property
    def passed(self) -> int:
        """Number of passes through the gate so far."""
        with self._lock:
            return self._passed

    def open(self, n: int = 1) -> None:
        """Let `n` tokens through: waiting ones first, then the next to arrive.

        Args:
            n: The number of tokens.

        Raises:
            ValueError: `n` is less than 1.
        """
        if n < 1:
            raise ValueError(f"A gate was asked to let {n} tokens through. Give a number of 1 or more.")
        with self._lock:
            for _ in range(n):
                if self._at_gate:
                    self._let_through()
                else:
                    self._permits += 1

    def open_all(self) -> None:
        """Open the gate permanently."""
        with self._lock:
            self._open = True
            while self._at_gate:
                self._let_through()

    def wait(self) -> None:
        """Wait in this thread until the gate lets it through.

        Raises:
            GateTimeoutError: The gate stayed closed for longer than its `timeout`.
            RuntimeError: An event loop runs in this thread and would be blocked; use `await gate.await_()` there.
        """
        wakeup = _ThreadWakeup()
        waiter = self._arrive(wakeup)
        if waiter is not None:
            with self._leaving(self._at_gate, waiter):
                wakeup.wait(self.timeout, "gate.await_()")
            self._check(waiter, self._closed)

    async def await_(self) -> None:
        """Wait in this coroutine until the gate lets it through, without blocking the event loop.

        Raises:
            GateTimeoutError: The gate stayed closed for longer than its `timeout`.
        """
        wakeup = _LoopWakeup()
        waiter = self._arrive(wakeup)
        if waiter is not None:
            with self._leaving(self._at_gate, waiter):
                await wakeup.wait(self.timeout)
            self._check(waiter, self._closed)

    def wait_for_arrival(self, timeout: Optional[float] = None) -> None:
        """Wait in this thread until a thread or coroutine waits at the gate.

        Args:
            timeout: The limit in seconds; by default the gate's `timeout`.

        Raises:
            GateTimeoutError: There was no arrival within the limit.
            RuntimeError: An event loop runs in this thread and would be blocked; use `await gate.await_arrival()`
                there.
        """
        limit = self.timeout if timeout is None else timeout
        wakeup = _ThreadWakeup()
        waiter = self._observe(wakeup)
        if waiter is not None:
            with self._leaving(self._observers, waiter):
                wakeup.wait(limit, "gate.await_arrival()")
            self._check(waiter, lambda: self._nobody(limit))

    async def await_arrival(self, timeout: Optional[float] = None) -> None:
        """Wait in this coroutine until a thread or coroutine waits at the gate, without blocking the event loop.

        Args:
            timeout: The limit in seconds; by default the gate's `timeout`.

        Raises:
            GateTimeoutError: There was no arrival within the limit.
        """
        limit = self.timeout if timeout is None else timeout
        wakeup = _LoopWakeup()
        waiter = self._observe(wakeup)
        if waiter is not None:
            with self._leaving(self._observers, waiter):
                await wakeup.wait(limit)
            self._check(waiter, lambda: self._nobody(limit))

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.open_all()

    def __deepcopy__(self, memo: object) -> Gate:
        return self  # copies of a model share the gate

    def __copy__(self) -> Gate:
        return self

    def _arrive(self, wake: Callable[[], None]) -> Optional[_Waiter]:
        with self._lock:
            if self._open or self._permits:
                self._permits -= 0 if self._open else 1
                self._passed += 1
                return None
            waiter = _Waiter(wake)
            self._at_gate.append(waiter)
            while self._observers:
                self._observers.popleft().release()
            return waiter

    def _observe(self, wake: Callable[[], None]) -> Optional[_Waiter]:
        with self._lock:
            if self._at_gate:
                return None
            waiter = _Waiter(wake)
            self._observers.append(waiter)
            return waiter

    @contextmanager
    def _leaving(self, queue: Deque[_Waiter], waiter: _Waiter) -> Iterator[None]:
        """Remove a waiter from its queue at the end; if it was let through but cancelled, restore its opening."""
        try:
            yield
        except BaseException:
            with self._lock:
                if waiter.done and queue is self._at_gate:
                    self._passed -= 1
                    if self._at_gate:
                        self._let_through()
                    else:
                        self._permits += 1
            raise
        finally:
            with self._lock:
                if waiter in queue:
                    queue.remove(waiter)

    def _check(self, waiter: _Waiter, error: Callable[[], GateTimeoutError]) -> None:
        if not waiter.done:
            raise error()

    def _let_through(self) -> None:
        self._passed += 1
        self._at_gate.popleft().release()

    def _closed(self) -> GateTimeoutError:
        return GateTimeoutError(
            f"A gate stayed closed for {self.timeout} s while somebody waited at it; {self.passed} went through before."
            " Call gate.open() once for each token, or gate.open_all(); Gate(timeout=...) sets the limit."
        )

    def _nobody(self, limit: float) -> GateTimeoutError:
        return GateTimeoutError(
            f"Nobody has arrived at a gate within {limit} s; {self.passed} went through before."
            " Check that the gate belongs to the model that is called, that the graph was started, and that its script"
            " has more tokens."
        )


class _ThreadWakeup:
    """Wakes a thread; callable from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __call__(self) -> None:
        self._event.set()

    def wait(self, seconds: float, instead: str) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._event.wait(seconds)
        else:
            raise RuntimeError(
                "A thread in which an event loop runs was about to wait at a gate, so that the loop would stand still."
                f" Use `await {instead}`, or call the model with `ainvoke` or `astream` there."
            )


class _LoopWakeup:
    """Wakes a coroutine; callable from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()

    def __call__(self) -> None:
        with suppress(RuntimeError):  # a closed loop has no waiters
            self._loop.call_soon_threadsafe(self._end)

    async def wait(self, seconds: float) -> None:
        timer = self._loop.call_later(seconds, self._end)
        try:
            await self._future
        finally:
            timer.cancel()

    def _end(self) -> None:
        if not self._future.done():
            self._future.set_result(None)
