"""Bounded waits, an event loop that takes note of complaints, and the threads of runs."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
from typing import Any, Callable, Coroutine, List, Set

PATIENCE = 30  # seconds until a wait that should end at once counts as failed


def eventually(condition: Callable[[], Any]) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


async def soon(condition: Callable[[], Any]) -> None:
    """Wait on the loop until `condition` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Like `asyncio.run`, and no task may be left in the end, nor may the loop have had to complain."""
    complaints: List[Any] = []

    async def watched() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        result = await main
        gc.collect()
        await soon(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        return result

    result = asyncio.run(watched())
    gc.collect()
    assert complaints == []
    return result


def interruptible() -> None:
    """Let the process that is being started hear Ctrl-C, also where the tests were started in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def threads() -> Set[threading.Thread]:
    """The threads of runs; those of test servers are not."""
    return {
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("streamgraph") and not thread.name.startswith("streamgraph-testing")
    }
