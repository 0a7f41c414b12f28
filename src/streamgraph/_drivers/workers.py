"""Threads that briefly outlive their work, so that the next run need not start its own.

Starting a thread takes several times as long as handing work to an idle one, and is most of the cost of a short run in
a thread. An idle thread ends after LINGER seconds, so a process that runs no graph has no threads of this library.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import Future
from functools import partial
from itertools import count
from typing import Any, Callable, Deque, Dict, Optional, Tuple, TypeVar

from streamgraph._propagation import propagates

_THREADS = 1024
"""The most threads of one run: steps can be of any width."""

LINGER = 0.03
"""Seconds that an idle thread waits for work."""

Task = Callable[[], Any]

T = TypeVar("T")

_number = count()


class _Worker(threading.Thread):
    """Worker thread; exits after LINGER seconds without work.

    Args:
        pool: The source of its work.
    """

    def __init__(self, pool: WorkerPool) -> None:
        super().__init__(name=f"streamgraph_{next(_number)}")
        self._pool = pool
        self._wake = threading.Lock()
        self._wake.acquire()

    def call(self) -> None:
        """Wake the thread."""
        _release(self._wake)

    def run(self) -> None:
        pool = self._pool
        # If `retire` returns False, this thread was chosen at the last moment: it continues, even if the call to wake
        # it was interrupted.
        while self._wake.acquire(timeout=LINGER) or not pool.retire(self):
            pool.arrived(self)
            task = pool.next(self)
            while task is not None:
                task()
                task = None  # release its references while the thread is idle
                task = pool.next(self)


class WorkerPool:
    """The threads of a process, and the tasks in their queue.

    At most one thread is being woken or started at a time: a thread that takes a task while there are others calls the
    next thread before it runs the task. So no task waits for the end of another, even if that one blocks; but tasks
    that never block are done by a thread or two, since handing each to a thread of its own would cost more than the
    tasks.

    No lock is ever waited for: Ctrl-C can interrupt the main thread at any moment, before Python 3.11 even between the
    end of a `with` block and the release of its lock. Each step is one operation that cannot be interrupted. Their
    order is such that a thread may be woken in vain, but no task is left behind.
    """

    def __init__(self) -> None:
        self._tasks: Deque[Task] = deque()
        self._idle: Deque[_Worker] = deque()
        self._starting = threading.Lock()  # held while a thread is woken or started; never waited for

    def do(self, task: Task) -> None:
        """Run a task in a thread.

        Args:
            task: The function to call; it must not raise.

        Raises:
            RuntimeError: No more threads can be started, and no thread has taken the task.
        """
        try:
            self._tasks.append(task)
            if self._starting.acquire(blocking=False):
                self._call()
        except BaseException as error:
            _release(self._starting)
            try:
                self._tasks.remove(task)
            except ValueError:  # a thread has taken it
                if isinstance(error, RuntimeError):
                    return
            raise

    def arrived(self, worker: _Worker) -> None:
        """Record that a woken thread runs: it is not idle, and the next one may be called."""
        self.retire(worker)  # a thread that was called twice is still in the idle queue
        _release(self._starting)

    def next(self, worker: _Worker) -> Optional[Task]:
        """Return the next task for a thread; if there is none, return `None` and make the thread idle."""
        try:
            task = self._tasks.popleft()
        except IndexError:
            self._idle.append(worker)
            return None
        if self._tasks and self._starting.acquire(blocking=False):
            try:
                self._call()
            except RuntimeError:  # no more threads: the existing ones do the rest
                _release(self._starting)
        return task

    def retire(self, worker: _Worker) -> bool:
        """Remove an idle thread so that it can end; return False if it has been chosen for work meanwhile."""
        try:
            self._idle.remove(worker)
        except ValueError:
            return False
        return True

    def forget(self) -> None:
        """Reset the pool in a forked process, which has none of the threads."""
        self.__init__()  # type: ignore[misc]

    def _call(self) -> None:
        """Wake the thread that became idle last, or start a new one."""
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker(self)
            try:
                worker.start()
            finally:
                worker.call()
        else:
            worker.call()


def _release(lock: threading.Lock) -> None:
    try:
        lock.release()
    except RuntimeError:  # it is not held
        return


WORKERS = WorkerPool()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=WORKERS.forget)


class RunThreads:
    """The threads of one run: as many as it needs at once, up to `_THREADS`.

    Attributes:
        leaving: The run is ending early; running calls are not waited for.
    """

    def __init__(self) -> None:
        self.leaving = False
        self._active: Dict[Task, None] = {}
        self._waiting: Deque[Task] = deque()

    def start(self, function: Callable[..., Any], *args: Any) -> None:
        """Call `function(*args)` in a thread.

        Args:
            function: The function to call; it must not raise.
            *args: Its arguments.
        """
        self._waiting.append(partial(function, *args))
        task = self._next()
        if task is not None:
            WORKERS.do(partial(self._work, task))

    def submit(self, function: Callable[..., T], *args: Any) -> Future[T]:
        """Call `function(*args)` in a thread; return the future of its result."""
        done: Future[T] = Future()
        self.start(_settle, done, function, args)
        return done

    def leave(self) -> None:
        """Record that the calls of this run are no longer waited for."""
        self.leaving = True

    def _next(self) -> Optional[Task]:
        """Return the next task, or `None` if there is none or all threads of the run are busy."""
        if not self._waiting or len(self._active) >= _THREADS:
            return None
        try:
            task = self._waiting.popleft()
        except IndexError:  # another thread was faster
            return None
        self._active[task] = None
        return task

    def _work(self, first: Task) -> None:
        task: Optional[Task] = first
        del first
        while task is not None:
            task()
            # In this order: a task that is added meanwhile either finds a free thread or is found here.
            del self._active[task]
            task = self._next()


@propagates
def _settle(done: Future[T], function: Callable[..., T], args: Tuple[Any, ...]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        value = function(*args)
    except BaseException as error:
        done.set_exception(error)
        # Break the reference cycle: future, exception, traceback, this frame.
        del done
    else:
        done.set_result(value)
