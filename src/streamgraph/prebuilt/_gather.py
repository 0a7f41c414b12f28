"""Awaiting several things at once."""

from __future__ import annotations

import asyncio
from typing import Coroutine, List, Optional, Sequence, TypeVar

T = TypeVar("T")


async def gather(work: Sequence[Coroutine[object, None, T]], limit: Optional[int]) -> List[T]:
    """Await coroutines at the same time and return their results in order.

    Args:
        work: The coroutines.
        limit: How many may run at once.

    Raises:
        Exception: What the first to fail raised; by then the others have been cancelled and have ended.
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
        # Those that were never begun would otherwise complain that nobody awaited them.
        for coroutine in work:
            coroutine.close()
        raise
