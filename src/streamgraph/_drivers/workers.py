"""Threads that outlive their work by a moment, so that the next run need not start its own.

Starting a thread takes several times as long as handing work to one that waits, and is most of what a short run in a
thread would cost. A thread that has waited in vain ends: a process that runs nothing has no threads of ours.
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
"""A bound for steps of any width."""

LINGER = 0.03
"""How long a thread waits for more work, in seconds."""

Task = Callable[[], Any]

T = TypeVar("T")

_number = count()


class _Worker(threading.Thread):
    """A thread that does what there is to do each time it is called, until nobody has called it for a while.

    Args:
        pool: Where there is work.
    """

    def __init__(self, pool: WorkerPool) -> None:
        super().__init__(name=f"streamgraph_{next(_number)}")
        self._pool = pool
        self._wake = threading.Lock()
        self._wake.acquire()

    def call(self) -> None:
        """Have it come."""
        _release(self._wake)

    def run(self) -> None:
        pool = self._pool
        # One that was chosen in the last moment comes in any case, whether it was called or that was interrupted.
        while self._wake.acquire(timeout=LINGER) or not pool.retire(self):
            pool.arrived(self)
            task = pool.next(self)
            while task is not None:
                task()
                task = None  # what it holds is not to live on while the thread waits
                task = pool.next(self)


class WorkerPool:
    """The threads of a process, and what they have yet to do.

    Never more than one thread is on its way: whoever takes a task while there are others calls the next thread before
    the task begins. So no task waits for another to end, whatever that waits for; but tasks that wait for nothing are
    done by a thread or two, since handing each to a thread of its own would cost more than they do.

    There is no lock that anybody waits for: Ctrl-C can end the main thread's work at any moment, and before Python 3.11
    even between the end of a `with` block and the release of its lock. Each step is one operation that cannot be
    interrupted, and they follow each other so that a thread may be called in vain, but no task is left behind.
    """

    def __init__(self) -> None:
        self._tasks: Deque[Task] = deque()
        self._idle: Deque[_Worker] = deque()
        self._starting = threading.Lock()  # held while a thread is on its way; nobody waits for it

    def do(self, task: Task) -> None:
        """Have a task done in a thread.

        Args:
            task: What to call; it lets no exception out.

        Raises:
            RuntimeError: There can be no more threads, and none has taken it.
        """
        try:
            self._tasks.append(task)
            if self._starting.acquire(blocking=False):
                self._call()
        except BaseException as error:
            _release(self._starting)
            try:
                self._tasks.remove(task)
            except ValueError:  # it has been taken
                if isinstance(error, RuntimeError):
                    return
            raise

    def arrived(self, worker: _Worker) -> None:
        """Take note that a thread has come: it is not idle, and another one may be called."""
        self.retire(worker)  # if it was called twice, it is still among those that wait
        _release(self._starting)

    def next(self, worker: _Worker) -> Optional[Task]:
        """Return what a thread is to do next; if that is nothing, it is to wait until it is called."""
        try:
            task = self._tasks.popleft()
        except IndexError:
            self._idle.append(worker)
            return None
        if self._tasks and self._starting.acquire(blocking=False):
            try:
                self._call()
            except RuntimeError:  # there can be no more threads: those there are do what is left
                _release(self._starting)
        return task

    def retire(self, worker: _Worker) -> bool:
        """Let a thread go that waits in vain; returns whether it may, or has been chosen meanwhile."""
        try:
            self._idle.remove(worker)
        except ValueError:
            return False
        return True

    def forget(self) -> None:
        """Begin anew, in a process that was forked: threads do not live on in it."""
        self.__init__()  # type: ignore[misc]

    def _call(self) -> None:
        """Call the thread that became idle last, or a new one."""
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
    except RuntimeError:  # it is free
        return


WORKERS = WorkerPool()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=WORKERS.forget)


class RunThreads:
    """The threads that one run uses, as many as it needs at once but for a bound.

    Attributes:
        leaving: The run is ending before its time; nobody waits for what its threads still do.
    """

    def __init__(self) -> None:
        self.leaving = False
        self._at_work: Dict[Task, None] = {}
        self._waiting: Deque[Task] = deque()

    def start(self, function: Callable[..., Any], *args: Any) -> None:
        """Call `function(*args)` in a thread.

        Args:
            function: What to call; it lets no exception out.
            *args: Its arguments.
        """
        self._waiting.append(partial(function, *args))
        task = self._next()
        if task is not None:
            WORKERS.do(partial(self._work, task))

    def submit(self, function: Callable[..., T], *args: Any) -> Future[T]:
        """Call `function(*args)` in a thread; returns the future of what it returns or raises."""
        done: Future[T] = Future()
        self.start(_settle, done, function, args)
        return done

    def leave(self) -> None:
        """Take note that nobody waits any more."""
        self.leaving = True

    def _next(self) -> Optional[Task]:
        """Return what is to be done next, if there is something and not too much is being done."""
        if not self._waiting or len(self._at_work) >= _THREADS:
            return None
        try:
            task = self._waiting.popleft()
        except IndexError:  # another thread has taken it
            return None
        self._at_work[task] = None
        return task

    def _work(self, first: Task) -> None:
        task: Optional[Task] = first
        del first
        while task is not None:
            task()
            # In this order: what is added meanwhile finds that there is room, or is found here.
            del self._at_work[task]
            task = self._next()


@propagates
def _settle(done: Future[T], function: Callable[..., T], args: Tuple[Any, ...]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        value = function(*args)
    except BaseException as error:
        done.set_exception(error)
        # The frame of a traceback would keep what it holds alive, and itself.
        del done
    else:
        done.set_result(value)
