"""Tasks that are called inside other tasks: `@task` functions, and the futures of their results."""

from __future__ import annotations

import asyncio
import threading
from asyncio import CancelledError
from collections import deque
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, Deque, Generator, List, NamedTuple, Optional, Sequence, Tuple, TypeVar, Union
from weakref import ref

from typing_extensions import Protocol

from streamgraph._core._events import TaskDone, TaskFailed
from streamgraph._core._ids import child_seed, task_id
from streamgraph._core._parts import Parts
from streamgraph._core._plan import Node
from streamgraph._core._room import Put
from streamgraph._core._stop import Stop
from streamgraph._core._task import Task, called_task
from streamgraph._core._workflow import value_of
from streamgraph._langchain._scope import Scope
from streamgraph._seam import Action, Call, Job, Launch, Work, raisable
from streamgraph.errors import ErrorLocation, locate

T = TypeVar("T")


class Working(Protocol):
    """A run, as those that start tasks in it see it."""

    def work(self, task: Task, stop: Stop, parent: Optional[Scope]) -> Work[Union[TaskDone, TaskFailed]]:
        """Return everything there is to a task."""


class TaskFuture(Future[T]):
    """The result of a `@task` that was called: `result()` waits for it, and it can be awaited.

    Args:
        stop: Tells the task to stop.
    """

    def __init__(self, stop: Stop) -> None:
        super().__init__()
        self._stop = stop

    def __await__(self) -> Generator[Any, None, T]:
        return _own(self).__await__()

    def cancel(self) -> bool:
        """Ask the task to stop; what runs in a thread ends at its next token or writer call."""
        if self.done():
            return self.cancelled()
        self._stop.set()
        return super().cancel()


class _Waiting(NamedTuple):
    """A task that waits for its turn."""

    job: Job
    future: TaskFuture[Any]


class Calls:
    """The tasks that are called inside the tasks of one run.

    Args:
        parts: Makes what the stream shows of them.
        ns: The namespace of the run.
        run: The run; it is not kept, so that all of it goes with its stream.
        concurrency: The most of them that may run at once; those that they call in turn do not count, since they
            are waited for.

    Attributes:
        over: The run has ended, be it with an error; it was not left.
    """

    def __init__(self, parts: Parts, ns: Tuple[str, ...], run: Working, concurrency: Optional[int]) -> None:
        self._parts = parts
        self._ns = ns
        self._run = ref(run)
        self._concurrency = concurrency
        self.over = False
        self._lock = threading.Lock()
        self._running = 0
        self._waiting: Deque[_Waiting] = deque()
        self._put: Put
        self._launch: Launch

    def connect(self, put: Put, launch: Launch) -> None:
        """Take the functions through which tasks emit and are started."""
        self._put = put
        self._launch = launch

    def start(self, caller: Scope, node: Node, given: Any) -> Any:
        """Start a task inside another.

        Args:
            caller: The task it is called in.
            node: The function.
            given: Its arguments, positional and by name.

        Returns:
            A future of its result: one of the event loop that this is called on, else one to wait for.

        Raises:
            StreamClosed: The calling task is no longer wanted.
            RuntimeError: Its run is over.
        """
        if not self.over and caller.stop.is_set:
            caller.stop.refuse()
        run = self._run()
        if self.over or run is None:
            raise RuntimeError(f"The task {node.name!r} was called after the run it belongs to had ended.")
        stop = Stop(caller.stop)
        future: TaskFuture[Any] = TaskFuture(stop)
        with self._lock:
            index = len(caller.children)
            caller.children = caller.children or []
            caller.children.append(future)
        id_ = task_id(child_seed(caller.task.id, -caller.attempt), 0, node.name, index)
        task = called_task(id_, node, given, caller.task, index)
        for part in self._parts.started(task):
            self._put(part)
        counts = self._concurrency is not None and not caller.is_called
        job = Job(copy_context(), self._called(run, task, caller, stop, future, counts), stop)
        self._admit(_Waiting(job, future), counts)
        return _on_loop(future)

    def _called(
        self, run: Working, task: Task, caller: Scope, stop: Stop, future: TaskFuture[Any], counts: bool
    ) -> Work[Union[TaskDone, TaskFailed]]:
        event: Union[TaskDone, TaskFailed] = TaskFailed(task, CancelledError())
        if not stop.is_set:
            event = yield from run.work(task, stop, caller)
        cancelled = stop.is_set and isinstance(event, TaskFailed) and isinstance(event.error, CancelledError)
        if isinstance(event, TaskFailed):
            event.error = raisable(task, event.error)
            locate(event.error, ErrorLocation(task.name, task.step, self._ns))
            parts = self._parts.failed(task, event.error, None)
        else:
            parts = self._parts.finished(task, event.outcome, event.cached)
        if not stop.is_set:
            for part in parts:
                self._put(part)
        if cancelled:
            Future.cancel(future)
        if future.set_running_or_notify_cancel():
            if isinstance(event, TaskFailed):
                future.set_exception(event.error)
            else:
                future.set_result(value_of(event.outcome.writes))
        if counts:
            self._admit_next()
        return event

    def _admit(self, waiting: _Waiting, counts: bool) -> None:
        if counts and self._concurrency is not None:
            with self._lock:
                if self._running >= self._concurrency:
                    self._waiting.append(waiting)
                    waiting.job.stop.on_set(partial(self._abandon, waiting))
                    return
                self._running += 1
        self._launch(waiting.job)

    def _admit_next(self) -> None:
        with self._lock:
            if not self._waiting:
                self._running -= 1
                return
            waiting = self._waiting.popleft()
        self._launch(waiting.job)

    def _abandon(self, waiting: _Waiting) -> None:
        """End a task that was told to stop before its turn came."""
        with self._lock:
            if waiting not in self._waiting:
                return
            self._waiting.remove(waiting)
        waiting.job.work.close()
        Future.cancel(waiting.future)
        waiting.future.set_running_or_notify_cancel()


def _on_loop(future: TaskFuture[T]) -> Any:
    """Return a future in the form that suits the caller: on an event loop, one of the loop's own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return future
    return _own(future)


def _own(future: TaskFuture[T]) -> asyncio.Future[T]:
    """Return a future of the running event loop that follows a task's, and cancels it when it is cancelled.

    `asyncio.wrap_future` does the same, but complains where a task outlives the loop, and where nobody asks for an
    error; that is no mistake here, since the task's result is in the stream.
    """
    loop = asyncio.get_running_loop()
    own: asyncio.Future[T] = loop.create_future()

    def follow() -> None:
        if own.done():
            return
        if future.cancelled():
            own.cancel()
            return
        error = future.exception()
        if error is None:
            own.set_result(future.result())
        else:
            own.set_exception(error)
            own.exception()

    def tell(_: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: there is nobody to tell
            loop.call_soon_threadsafe(follow)

    def cancel(_: Any) -> None:
        if own.cancelled():
            future.cancel()

    own.add_done_callback(cancel)
    future.add_done_callback(tell)
    return own


def settled(futures: Sequence[TaskFuture[Any]], *, cancel: bool = False) -> Work[None]:
    """Wait until these tasks have ended; nobody has to have asked for their results.

    Args:
        futures: Their results.
        cancel: Tell them to stop first.
    """
    running: List[TaskFuture[Any]] = [future for future in futures if not future.done()]
    if cancel:
        for future in running:
            future.cancel()
    if running:
        yield Call(_WAIT, (running,))


def _wait(futures: Sequence[TaskFuture[Any]]) -> None:
    wait(futures)


async def _await(futures: Sequence[TaskFuture[Any]]) -> None:
    await asyncio.wait(set(map(_own, futures)))


_WAIT = Action(_wait, _await)
