"""Concurrent awaiting with a limit."""

from __future__ import annotations

import asyncio
from typing import Coroutine, List, Optional, Sequence, TypeVar

T = TypeVar("T")


async def gather(work: Sequence[Coroutine[object, None, T]], limit: Optional[int]) -> List[T]:
    """Await coroutines concurrently and return their results in order.

    Args:
        work: The coroutines.
        limit: The maximum number of concurrent coroutines; `None` for no limit.

    Raises:
        Exception: The first exception raised; by then the other coroutines have been cancelled and have ended.
    """
    if len(work) == 1:
        return [await work[0]]
    allowed = None if limit is None else asyncio.Semaphore(limit)

    async def run(coroutine: Coroutine[object, None, T]) -> T:
        if allowed is None:
            return await coroutine
        async with allowed:
            return await coroutine

    tasks = [asyncio.ensure_future(run(coroutine)) for coroutine in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Coroutines that were never started would otherwise warn that they were not awaited.
        for coroutine in work:
            coroutine.close()
        raise
