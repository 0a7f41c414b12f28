"""Drives work that belongs to no run, such as reading a saved state: in the calling thread, or on the running loop."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from typing import AsyncIterator, Iterator, TypeVar

from streamgraph._drivers import calls_asyncio, calls_threads
from streamgraph._drivers.portal import Portal
from streamgraph._drivers.workers import RunThreads
from streamgraph._protocols import Work
from streamgraph._streams.cancellation import CancelToken
from streamgraph.errors import EventLoopError

T = TypeVar("T")


def run_sync(work: Work[T]) -> T:
    """Drive work in the calling thread, and return its result.

    Args:
        work: The work; calls that can only be awaited are made on a loop of their own.
    """
    portal = Portal()
    try:
        return calls_threads.drive(work, RunThreads(), portal, CancelToken())
    finally:
        portal.close()


async def run_async(work: Work[T]) -> T:
    """Drive work on the running event loop, and return its result.

    Args:
        work: The work; calls that would block are made in threads.

    Raises:
        EventLoopError: asyncio does not run here.
    """
    running_loop()
    return await calls_asyncio.drive(work, RunThreads())


def running_loop() -> AbstractEventLoop:
    """Return asyncio's running loop, for what can only be awaited on one.

    Raises:
        EventLoopError: It does not run here.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise EventLoopError(
            "The async methods about saved runs need asyncio's event loop, which does not run here",
            hint="Under trio, call a sync one in a thread: await trio.to_thread.run_sync(graph.get_state, config).",
        ) from None


def pulled(items: AsyncIterator[T]) -> Iterator[T]:
    """Yield the items of an async iterator, which is awaited on a loop of its own, to a thread that blocks."""
    portal, end = Portal(), object()

    async def following() -> object:
        async for item in items:
            return item
        return end

    try:
        while True:
            item = portal.call(following, (), CancelToken())
            if item is end:
                return
            yield item
    finally:
        portal.close()


async def iterated(items: Iterator[T]) -> AsyncIterator[T]:
    """Yield the items of an iterator that blocks; each is made in a thread."""
    loop, end = running_loop(), object()
    while True:
        item = await loop.run_in_executor(None, next, items, end)
        if item is end:
            return
        yield item  # type: ignore[misc]
