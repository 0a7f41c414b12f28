"""Savers that belong to an event loop: their calls are made on it, from wherever a run is.

`AsyncSqliteSaver`, `AsyncPostgresSaver` and others like them remember the loop on which they were opened as `loop`.
While that loop runs, their connections are used there, and from nowhere else. Once it does not run any more nobody else
can use them, so that any loop will do.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Any, AsyncIterator, Awaitable, Iterator, Optional, TypeVar

from streamgraph._core.action import Action
from streamgraph.errors import EventLoopError

T = TypeVar("T")

_PATIENCE = 0.5
"""Seconds after which a waiting run looks whether the saver's loop still runs."""

_END = object()


def running_loop_of(saver: object) -> Optional[AbstractEventLoop]:
    """Return the event loop that a saver belongs to, if it has one, and the loop runs."""
    loop = getattr(saver, "loop", None)
    return loop if isinstance(loop, AbstractEventLoop) and loop.is_running() else None


def belongs_to_a_loop(saver: object) -> bool:
    """Return True if a saver remembers the event loop on which it was opened."""
    return isinstance(getattr(saver, "loop", None), AbstractEventLoop)


def on_its_loop(saver: object, action: Action) -> Action:
    """Return an action whose calls are made on the loop of a saver.

    Args:
        saver: The saver.
        action: One of its methods; both forms are the same if it belongs to no loop.
    """
    if action.asyn is None or not belongs_to_a_loop(saver):
        return action
    loop = running_loop_of(saver)
    if loop is None:
        return Action(None, action.asyn)
    asyn = action.asyn

    def from_thread(*args: Any) -> Any:
        other = _other(loop, saver)
        return wait_in_thread(asyn(*args), other)

    async def from_loop(*args: Any) -> Any:
        return await wait_on_loop(asyn(*args), loop)

    return Action(from_thread, from_loop)


def _other(loop: AbstractEventLoop, saver: object) -> AbstractEventLoop:
    """Return a loop that runs in another thread.

    Raises:
        EventLoopError: It runs in this one, which a sync call blocks.
    """
    if _is_here(loop):
        raise EventLoopError(
            f"{type(saver).__name__} belongs to the event loop that this call blocks, so it can never answer",
            hint="Await the async method (ainvoke, astream, aget_state, ...), or call this one in another thread.",
        )
    return loop


def _is_here(loop: AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def wait_in_thread(awaitable: Awaitable[T], loop: AbstractEventLoop) -> T:
    """Await something on a loop that runs in another thread, and return its result."""
    running: Future[T] = asyncio.run_coroutine_threadsafe(_awaited(awaitable), loop)
    while not _is_over(running):
        _check(running, loop)
    _check(running, loop)
    return running.result()


def _is_over(running: Future[Any]) -> bool:
    with suppress(FutureTimeout, CancelledError):
        running.exception(_PATIENCE)
    return running.done()


async def wait_on_loop(awaitable: Awaitable[T], loop: AbstractEventLoop) -> T:
    """Await something on a loop, which may be another one than the running loop, and return its result."""
    if asyncio.get_running_loop() is loop:
        return await awaitable
    running = asyncio.run_coroutine_threadsafe(_awaited(awaitable), loop)
    own = asyncio.wrap_future(running)
    while not (await asyncio.wait({own}, timeout=_PATIENCE))[0]:
        _check(running, loop)
    _check(running, loop)
    return own.result()


def _check(running: Future[Any], loop: AbstractEventLoop) -> None:
    """Raise an error if the loop has stopped, so that nothing will ever come of what was to run on it.

    Whoever stops a loop cancels what is left on it.
    """
    if running.cancelled() or not (loop.is_running() or running.done()):
        running.cancel()
        raise EventLoopError(
            "The event loop of the saver has ended while the run was being saved",
            hint="Keep the saver open until its runs have ended.",
        )


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def items_on_its_loop(saver: object, items: AsyncIterator[T]) -> AsyncIterator[T]:
    """Yield what an async method of a saver yields, which is made on the saver's loop.

    Args:
        saver: The saver.
        items: What the method has returned.
    """
    loop = running_loop_of(saver)
    if loop is None or _is_here(loop):
        async for item in items:
            yield item
        return
    try:
        while True:
            found = await wait_on_loop(_next(items), loop)
            if found is _END:
                return
            yield found
    finally:
        _leave(items, loop)


def items_in_thread(saver: object, items: AsyncIterator[T]) -> Iterator[T]:
    """Return an iterator of what an async method of a saver yields, for a thread that blocks.

    Args:
        saver: The saver, whose loop runs.
        items: What the method has returned.

    Raises:
        EventLoopError: The loop is that of this thread.
    """
    loop = running_loop_of(saver)
    assert loop is not None
    return _in_thread(items, _other(loop, saver))


def _in_thread(items: AsyncIterator[T], loop: AbstractEventLoop) -> Iterator[T]:
    try:
        while True:
            found = wait_in_thread(_next(items), loop)
            if found is _END:
                return
            yield found
    finally:
        _leave(items, loop)


def _leave(items: Any, loop: AbstractEventLoop) -> None:
    """Let an async generator give back what it holds; this may be called by the collector, so nobody waits for it."""
    if hasattr(items, "aclose") and loop.is_running():
        asyncio.run_coroutine_threadsafe(_awaited(items.aclose()), loop)


async def _next(items: AsyncIterator[Any]) -> Any:
    async for item in items:
        return item
    return _END
