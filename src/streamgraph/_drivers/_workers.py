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
        crew: Where there is work.
    """

    def __init__(self, crew: Crew) -> None:
        super().__init__(name=f"streamgraph_{next(_number)}")
        self._crew = crew
        self._bell = threading.Lock()
        self._bell.acquire()

    def call(self) -> None:
        """Have it come; more than once is as good as once."""
        if self._bell.locked():
            self._bell.release()

    def run(self) -> None:
        crew = self._crew
        while self._called():
            task = crew.next(self, came=True)
            while task is not None:
                task()
                task = None  # what it holds is not to live on while the thread waits
                task = crew.next(self)

    def _called(self) -> bool:
        """Wait to be called; returns whether it was."""
        # It may be chosen in the last moment; then it is called for certain.
        return self._bell.acquire(timeout=LINGER) or (not self._crew.dismiss(self) and self._bell.acquire())


class Crew:
    """The threads of a process, and what they have yet to do.

    Never more than one thread is on its way: whoever takes a task while there are others calls the next thread before
    the task begins. So no task waits for another to end, whatever that waits for; but tasks that wait for nothing are
    done by a thread or two, since handing each to a thread of its own would cost more than they do.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: Deque[Task] = deque()
        self._idle: Dict[_Worker, None] = {}
        self._coming = False

    def do(self, task: Task) -> None:
        """Have a task done in a thread.

        Args:
            task: What to call; it lets no exception out.

        Raises:
            RuntimeError: There can be no more threads, and none has taken it.
        """
        try:
            with self._lock:
                self._tasks.append(task)
                if self._coming:
                    return
                self._coming = True
            self._call()
        except BaseException as error:  # an interruption from the keyboard may come at any moment
            with self._lock:
                self._coming = False  # a call too many does no harm, one too few would
                taken = task not in self._tasks
                if not taken:
                    self._tasks.remove(task)
            if not taken or not isinstance(error, RuntimeError):
                raise

    def next(self, worker: _Worker, *, came: bool = False) -> Optional[Task]:
        """Return what a thread is to do next; if that is nothing, it is to wait until it is called.

        Args:
            worker: The thread.
            came: It was called for this.
        """
        with self._lock:
            if came:
                self._coming = False
                self._idle.pop(worker, None)
            if not self._tasks:
                self._idle[worker] = None
                return None
            task = self._tasks.popleft()
            if not self._tasks or self._coming:
                return task
            self._coming = True
        try:
            self._call()
        except RuntimeError:  # there can be no more threads: those there are do what is left
            self._coming = False
        return task

    def dismiss(self, worker: _Worker) -> bool:
        """Let a thread go that waits in vain; returns whether it may, or has been chosen meanwhile."""
        with self._lock:
            waits = worker in self._idle
            self._idle.pop(worker, None)
            return waits

    def forget(self) -> None:
        """Begin anew, in a process that was forked: threads do not live on in it."""
        self.__init__()  # type: ignore[misc]

    def _call(self) -> None:
        """Call the thread that became idle last, or a new one."""
        with self._lock:
            worker = next(reversed(self._idle), None)
            if worker is not None:
                worker.call()
                del self._idle[worker]
                return
        worker = _Worker(self)
        try:
            worker.start()
        finally:
            worker.call()


CREW = Crew()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=CREW.forget)


class Pool:
    """The threads that one run uses, as many as it needs at once but for a bound.

    Attributes:
        leaving: The run is ending before its time; nobody waits for what its threads still do.
    """

    def __init__(self) -> None:
        self.leaving = False
        self._lock = threading.Lock()
        self._at_work = 0
        self._waiting: Deque[Task] = deque()

    def start(self, function: Callable[..., Any], *args: Any) -> None:
        """Call `function(*args)` in a thread.

        Args:
            function: What to call; it lets no exception out.
            *args: Its arguments.
        """
        task = partial(function, *args)
        with self._lock:
            if self._at_work >= _THREADS:
                self._waiting.append(task)
                return
            self._at_work += 1
        CREW.do(partial(self._work, task))

    def submit(self, function: Callable[..., T], *args: Any) -> Future[T]:
        """Call `function(*args)` in a thread; returns the future of what it returns or raises."""
        done: Future[T] = Future()
        self.start(_settle, done, function, args)
        return done

    def leave(self) -> None:
        """Take note that nobody waits any more."""
        self.leaving = True

    def _work(self, task: Task) -> None:
        while True:
            task()
            with self._lock:
                if not self._waiting:
                    self._at_work -= 1
                    return
                task = self._waiting.popleft()


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
