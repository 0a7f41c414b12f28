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
from queue import Empty, SimpleQueue
from typing import Any, Callable, Deque, Dict, Optional, Tuple, TypeVar

_THREADS = 1024
"""A bound for steps of any width."""

LINGER = 0.03
"""How long a thread waits for more work, in seconds."""

Task = Callable[[], Any]

T = TypeVar("T")

_number = count()


class _Worker(threading.Thread):
    """A thread that does what it is given until there has been nothing for a while.

    Args:
        crew: Who gives it work.
        task: What to do first.
    """

    def __init__(self, crew: Crew, task: Task) -> None:
        super().__init__(name=f"streamgraph_{next(_number)}")
        self._crew = crew
        self._first: Optional[Task] = task
        self.tasks: SimpleQueue[Task] = SimpleQueue()

    def run(self) -> None:
        task, self._first = self._first, None
        while task is not None:
            task()
            task = None  # what it holds is not to live on while the thread waits
            task = self._crew.more_for(self)


class Crew:
    """The threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: Dict[_Worker, None] = {}

    def do(self, task: Task) -> None:
        """Have a task done in a thread; the one that became idle last, or a new one.

        Args:
            task: What to call; it lets no exception out.
        """
        with self._lock:
            worker = self._idle.popitem()[0] if self._idle else None
        if worker is None:
            _Worker(self, task).start()
        else:
            worker.tasks.put(task)

    def more_for(self, worker: _Worker) -> Optional[Task]:
        """Wait for more work; returns `None` if the thread is to end."""
        with self._lock:
            self._idle[worker] = None
        try:
            return worker.tasks.get(timeout=LINGER)
        except Empty:
            with self._lock:
                if worker in self._idle:
                    del self._idle[worker]
                    return None
        return worker.tasks.get()  # it was chosen in the last moment

    def forget(self) -> None:
        """Begin anew, in a process that was forked: threads do not live on in it."""
        self.__init__()  # type: ignore[misc]


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
