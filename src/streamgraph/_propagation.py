"""Which event loop this code is on, and whether an exception raised here reaches somebody who waits for the work.

Work that is no longer wanted ends by an exception at its next token. That is right where the exception arrives at the
driver that called the node, or at an executor that hands it on. In a thread or an asyncio task that a node has started
itself it would arrive nowhere: a traceback would be printed, or a complaint logged. Which of these it is can be read
off the call stack, and only when it matters, so that running a node costs nothing for it.
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

# By the ids of their code, which live as long as their modules: to hash code takes as long as it has lines.
_carriers: Dict[int, str] = {}


def current_loop() -> Optional[asyncio.AbstractEventLoop]:
    """Return the event loop that this is called on, or `None`."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def on_loop() -> bool:
    """Whether this is called on an event loop, which must not be blocked."""
    return current_loop() is not None


def propagates(function: F) -> F:
    """Mark a function whose callees' exceptions reach somebody who waits for them."""
    _carriers[id(function.__code__)] = _ASYNC if inspect.iscoroutinefunction(function) else _SYNC
    return function


# An executor keeps what a call raises in its future.
_worker = executor_worker()
if _worker is not None:
    propagates(_worker)


def is_propagated() -> bool:
    """Whether an exception that is raised here reaches somebody who waits for this work."""
    return any(True for _ in _on_stack())


def is_awaited() -> bool:
    """Whether it reaches a driver on an event loop, with no asyncio task in between that a node has made."""
    return _ASYNC in _on_stack()


def may_lose_cancellation() -> bool:
    """Whether somebody waits for what is called here, and a cancellation of it can be lost without a trace.

    `asyncio.wait_for` loses one before Python 3.12 (CPython #86296). From 3.11 on the task still tells that it was
    cancelled. Before, this is asked when a model call starts, for langchain-core then runs the model in a task of its
    own, on whose stack nothing says for whom it works.
    """
    if hasattr(asyncio.Task, "cancelling"):
        return False
    task = _current_task()
    return is_awaited() or (task is not None and is_waited_for(task))


def cancel_here() -> None:
    """End this work, if that can be done without anybody having to complain of it.

    Raises:
        StreamClosed: The exception reaches whoever runs the work.
        CancelledError: This is an asyncio task on a loop that a sync node runs for itself: a cancellation leaves that
            as well as any other exception, and it ends tasks there that nobody waits for without a word. Or it is one
            that was cancelled and has lost that (CPython #86296).
    """
    carriers, task = list(_on_stack()), _current_task()
    if _ASYNC in carriers or (carriers and task is None):
        raise StreamClosed
    if task is not None and (carriers or _was_cancelled(task)):
        raise asyncio.CancelledError


def _on_stack() -> Iterator[str]:
    """Yield the kinds of the carriers on the call stack, the nearest first."""
    worker = anyio_worker()  # it may have been loaded just now
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
    except RuntimeError:  # there is no loop in this thread
        return None


def _was_cancelled(task: asyncio.Task[Any]) -> bool:
    # Tasks count their cancellations from Python 3.11 on.
    cancelling = getattr(task, "cancelling", None)
    return cancelling is not None and cancelling() > 0
