"""Privates of CPython's standard library, and of anyio, which builds on it."""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
from concurrent.futures import thread as _executors
from types import FrameType, FunctionType
from typing import Any, Callable, Optional

from typing_extensions import get_args

__all__ = [
    "anyio_worker",
    "before_threads_are_awaited",
    "current_frame",
    "executor_worker",
    "is_waited_for",
    "with_arguments",
]


def _no_frame(depth: int = 0) -> Optional[FrameType]:
    return None


current_frame: Callable[..., Optional[FrameType]] = getattr(sys, "_getframe", _no_frame)
"""Return the frame that calls this, or the one that so many calls are below.

It is `sys._getframe` of CPython and PyPy itself, and not `inspect.currentframe`, which is one more call for each call
of a model. An interpreter without frames has nothing on its stack: then exceptions are taken to reach nobody, so that
work which is no longer wanted runs to its end, and calls of models are not explained.
"""


def before_threads_are_awaited(function: Callable[[], None]) -> bool:
    """Call a function when the main thread has come to its end, before the interpreter waits for its other threads.

    It is `threading._register_atexit`, from Python 3.9 on, which executors use for the same end: the functions of the
    public `atexit` are called after the threads have ended, which may wait for what the function is to do. Without it,
    the function is called there: a process may not end whose streams were left open.

    Args:
        function: What to call, once.

    Returns:
        Whether it will be called; the main thread may have come to its end already.
    """
    register = getattr(threading, "_register_atexit", atexit.register)
    try:
        register(function)
    except RuntimeError:
        return False
    return True


def executor_worker() -> Optional[FunctionType]:
    """Return the function that the threads of a `ThreadPoolExecutor` run, which keeps what a call raises.

    It is `concurrent.futures.thread._worker`, from Python 3.2 on. Without it, an executor's threads count as threads of
    the user's own: work in them that is no longer wanted is not ended, and what it emits is dropped.
    """
    return getattr(_executors, "_worker", None)


def anyio_worker() -> Optional[FunctionType]:
    """Return the function that the threads of `anyio.to_thread` run on asyncio, once anyio has been loaded.

    It is `run` of `anyio._backends._asyncio.WorkerThread`, from anyio 2 on. Without it, the same happens as without
    `executor_worker`.
    """
    worker = getattr(sys.modules.get("anyio._backends._asyncio"), "WorkerThread", None)
    return getattr(worker, "run", None)


def is_waited_for(task: asyncio.Task[Any]) -> bool:
    """Whether somebody wants to be called when a task is done.

    It is `_callbacks` of the tasks and futures of Python 3.9 and 3.10; from 3.11 on nobody needs to ask, since tasks
    count their cancellations. Without it, nobody is taken to wait: a model call whose cancellation was lost is not
    ended.
    """
    return bool(getattr(task, "_callbacks", None))


def with_arguments(hint: Any, change: Callable[[Any], Any]) -> Any:
    """Return a generic type hint such as `List[int]` with its arguments changed.

    It is `copy_with` of the aliases in `typing`, from Python 3.7 on. Those of Python's own classes (`list[int]`) do not
    have it; they, and all others without it, are returned as they are.

    Args:
        hint: The hint.
        change: Returns what to put in the place of an argument.
    """
    arguments = get_args(hint)
    if not arguments or not hasattr(hint, "copy_with"):
        return hint
    return hint.copy_with(tuple(map(change, arguments)))
