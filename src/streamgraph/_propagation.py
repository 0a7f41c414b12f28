"""Finds out whether an exception raised here would reach the driver or executor that waits for the work.

Cancelled work ends with an exception at its next token. That is right if the exception arrives at the driver that
called the node, or at an executor that passes it on. In a thread or an asyncio task that a node has started itself, it
would arrive nowhere: a traceback would be printed, or a complaint logged. The call stack shows which case it is. It is
only read when that matters, so running a node costs nothing extra.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Callable, Dict, Iterator, Optional, TypeVar

from streamgraph._compat.cpython import anyio_worker, current_frame, executor_worker, is_waited_for
from streamgraph.errors import StreamClosed

CancelledError = asyncio.CancelledError

F = TypeVar("F", bound=Callable[..., Any])

_SYNC, _ASYNC = "sync", "async"

# Keyed by the ids of code objects, which live as long as their modules: hashing a code object takes time proportional
# to its length.
_carriers: Dict[int, str] = {}


def current_loop() -> Optional[asyncio.AbstractEventLoop]:
    """Return the event loop that runs in this thread, or `None`."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def on_loop() -> bool:
    """Return True if the caller runs on an event loop, which must not be blocked."""
    return current_loop() is not None


def propagates(function: F) -> F:
    """Mark a function that passes on the exceptions of its callees to a caller that waits for them."""
    _carriers[id(function.__code__)] = _ASYNC if inspect.iscoroutinefunction(function) else _SYNC
    return function


# An executor stores the exception of a call in its future.
_worker = executor_worker()
if _worker is not None:
    propagates(_worker)


def is_propagated() -> bool:
    """Return True if an exception raised here reaches a driver or an executor."""
    return any(True for _ in _on_stack())


def is_awaited() -> bool:
    """Return True if it reaches a driver on an event loop, with no asyncio task of a node's own in between."""
    return _ASYNC in _on_stack()


def may_lose_cancellation() -> bool:
    """Return True if this code is awaited, and a cancellation of it can be lost without a trace.

    `asyncio.wait_for` loses one before Python 3.12 (CPython #86296). From 3.11 on, the task still records that it was
    cancelled. Before 3.11, this is checked when a model call starts, because langchain-core then runs the model in a
    task of its own, whose stack does not show the task that waits for it.
    """
    if hasattr(asyncio.Task, "cancelling"):
        return False
    task = _current_task()
    return is_awaited() or (task is not None and is_waited_for(task))


def cancel_here() -> None:
    """End this work if its exception reaches code that waits for it; otherwise return.

    Raises:
        StreamClosed: The exception reaches the driver or executor that runs the work.
        CancelledError: The caller is an asyncio task on a loop that a sync node runs for itself: a cancellation leaves
            that loop like any other exception, and ends a task there silently if it is not awaited. Or the caller is a
            task that was cancelled and has lost the cancellation (CPython #86296).
    """
    carriers, task = list(_on_stack()), _current_task()
    if _ASYNC in carriers or (carriers and task is None):
        raise StreamClosed
    if task is not None and (carriers or _was_cancelled(task)):
        raise asyncio.CancelledError


def _on_stack() -> Iterator[str]:
    """Yield the kinds of the marked functions on the call stack, the nearest first."""
    worker = anyio_worker()  # anyio may have been imported only now
    if worker is not None:
        propagates(worker)
    frame = current_frame(1)
    while frame is not None:
        kind = _carriers.get(id(frame.f_code))
        if kind is not None:
            yield kind
        frame = frame.f_back


def _current_task() -> Optional[asyncio.Task[Any]]:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return None


def _was_cancelled(task: asyncio.Task[Any]) -> bool:
    # Tasks count their cancellations from Python 3.11 on.
    cancelling = getattr(task, "cancelling", None)
    return cancelling is not None and cancelling() > 0
