"""Running workflows by either driver, and tasks that are sync or async."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, List

from support.waiting import run

DRIVERS = ("stream", "astream")
KINDS = ("sync", "async")


def collect(
    workflow: Any, given: Any, driver: str, take: Callable[[Any], Any] = lambda chunk: None, **options: Any
) -> List[Any]:
    """Run a workflow, hand each chunk on at once, and return all of them."""
    chunks: List[Any] = []

    def taken(chunk: Any) -> None:
        chunks.append(chunk)
        take(chunk)

    if driver == "stream":
        for chunk in workflow.stream(given, **options):
            taken(chunk)
        return chunks

    async def main() -> None:
        async for chunk in workflow.astream(given, **options):
            taken(chunk)

    run(main())
    return chunks


def finish(workflow: Any, given: Any, driver: str, **options: Any) -> Any:
    """The output of a run."""
    if driver == "stream":
        return workflow.invoke(given, **options)
    return run(workflow.ainvoke(given, **options))


def of_kind(function: Callable[..., Any], kind: str) -> Callable[..., Any]:
    """The function, or a coroutine function that runs it off the loop."""
    if kind == "sync":
        return function

    async def work(*args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, function, *args)

    work.__name__ = function.__name__
    return work


class Peak:
    """Counts how many run at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.highest = self.total = 0

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.total += 1
            self.highest = max(self.highest, self.now)

    def __exit__(self, *error: Any) -> None:
        with self._lock:
            self.now -= 1
