"""Private features of CPython's standard library, and of anyio, which builds on it."""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import thread as _executors
from contextlib import suppress
from types import FrameType, FunctionType
from typing import Any, Callable, Optional

from typing_extensions import get_args

__all__ = [
    "anyio_worker",
    "before_threads_are_awaited",
    "current_executor",
    "current_frame",
    "executor_worker",
    "is_waited_for",
    "widen",
    "with_arguments",
]


def _no_frame(depth: int = 0) -> Optional[FrameType]:
    return None


current_frame: Callable[..., Optional[FrameType]] = getattr(sys, "_getframe", _no_frame)
"""Return the caller's frame, or the frame `depth` levels above it.

It is `sys._getframe` of CPython and PyPy, and not `inspect.currentframe`, which costs one more call per model call. On
an interpreter without frames the stack appears empty: exceptions are assumed to reach no caller, so work that is no
longer wanted runs to its end, and model calls are not explained.
"""


def before_threads_are_awaited(function: Callable[[], None]) -> bool:
    """Call a function when the main thread has ended, before the interpreter waits for other threads.

    It is `threading._register_atexit`, from Python 3.9 on, which executors use for the same purpose. Functions of the
    public `atexit` are called only after the threads have ended, and the threads may be waiting for the function.
    Without it, `atexit` is used: a process with open streams may not exit.

    Args:
        function: The function to call, once.

    Returns:
        True if the function will be called; False if the main thread has already ended.
    """
    register = getattr(threading, "_register_atexit", atexit.register)
    try:
        register(function)
    except RuntimeError:
        return False
    return True


def executor_worker() -> Optional[FunctionType]:
    """Return the thread function of `ThreadPoolExecutor`, which stores the exception of a call.

    It is `concurrent.futures.thread._worker`, from Python 3.2 on. Without it, threads of an executor count as threads
    started by the user: unwanted work in them is not ended, and its parts are dropped.
    """
    return getattr(_executors, "_worker", None)


def current_executor() -> Optional[ThreadPoolExecutor]:
    """Return the executor that the calling thread belongs to, or `None`.

    It is the argument `executor_reference` of `executor_worker`, at the root of the call stack, from Python 3.7 on.
    Without it, a thread that waits for a person takes one of an executor's threads away from others.
    """
    worker, frame = executor_worker(), current_frame(1)
    while frame is not None:
        if worker is not None and frame.f_code is worker.__code__:
            link = frame.f_locals.get("executor_reference")
            found = link() if callable(link) else None
            return found if isinstance(found, ThreadPoolExecutor) else None
        frame = frame.f_back
    return None


def widen(executor: ThreadPoolExecutor, threads: int) -> None:
    """Change the number of threads that an executor may have, and start one if work waits for it.

    It uses `_max_workers`, `_shutdown`, `_shutdown_lock`, `_work_queue` and `_adjust_thread_count`, from Python 3.2 on.
    Without them, nothing happens.

    Args:
        executor: The executor.
        threads: How many more it may have.
    """
    lock, start = getattr(executor, "_shutdown_lock", None), getattr(executor, "_adjust_thread_count", None)
    if lock is None or start is None or not hasattr(executor, "_max_workers"):
        return
    with lock:
        executor._max_workers += threads
        if threads > 0 and executor._work_queue.qsize() and not executor._shutdown:
            with suppress(RuntimeError):  # the interpreter ends, or has no more threads
                start()


def anyio_worker() -> Optional[FunctionType]:
    """Return the thread function of `anyio.to_thread` on asyncio, or `None` if anyio is not loaded.

    It is `run` of `anyio._backends._asyncio.WorkerThread`, from anyio 2 on. Without it, the same happens as without
    `executor_worker`.
    """
    worker = getattr(sys.modules.get("anyio._backends._asyncio"), "WorkerThread", None)
    return getattr(worker, "run", None)


def is_waited_for(task: asyncio.Task[Any]) -> bool:
    """Return whether a task has done callbacks.

    It is `_callbacks` of the tasks and futures of Python 3.9 and 3.10. It is not needed from 3.11 on, where tasks count
    their cancellations. Without it, tasks are assumed not to be awaited: a model call whose cancellation was lost is
    not ended.
    """
    return bool(getattr(task, "_callbacks", None))


def with_arguments(hint: Any, change: Callable[[Any], Any]) -> Any:
    """Return a generic type hint such as `List[int]` with its arguments replaced.

    It is `copy_with` of the aliases in `typing`, from Python 3.7 on. Hints without it, such as the builtin generics
    (`list[int]`), are returned unchanged.

    Args:
        hint: The hint.
        change: Returns the replacement of an argument.
    """
    arguments = get_args(hint)
    if not arguments or not hasattr(hint, "copy_with"):
        return hint
    return hint.copy_with(tuple(map(change, arguments)))
