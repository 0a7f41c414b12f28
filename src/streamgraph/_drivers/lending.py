"""Lets an executor start another thread while one of its threads waits for a person.

An executor has a fixed number of threads: six for `asyncio.to_thread` on a computer with two cores. Without this, a few
questions that are asked in them would hold up everything else that needs one.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from streamgraph._compat.cpython import current_executor, widen


@contextmanager
def thread_lent() -> Iterator[None]:
    """Let the executor of the calling thread, if it belongs to one, have one thread more than it may."""
    executor = current_executor()
    if executor is None:
        yield
        return
    widen(executor, 1)
    try:
        yield
    finally:
        widen(executor, -1)
