"""Subtasks: `@task` functions called inside other tasks, and the futures of their results."""

from __future__ import annotations

import threading
from collections import deque
from contextvars import copy_context
from functools import partial
from typing import Any, Deque, Dict, List, NamedTuple, Optional, Sequence, Tuple
from weakref import ref

from typing_extensions import Protocol

from streamgraph._core.answers import still_asks, take_answers
from streamgraph._core.effects import Note
from streamgraph._core.events import Event, TaskDone, TaskFailed, TaskSignalled
from streamgraph._core.ids import child_seed, task_id
from streamgraph._core.parts import PartBuilder
from streamgraph._core.plan import Node
from streamgraph._core.record import Known
from streamgraph._core.results import TaskResult
from streamgraph._core.task import Task, called_task
from streamgraph._drivers.exceptions import as_public_error
from streamgraph._drivers.futures import TaskFuture, shown_to_caller
from streamgraph._execution.saving import Saving
from streamgraph._langchain.asking import hand_on
from streamgraph._langchain.scope import Scope
from streamgraph._locations import locate
from streamgraph._propagation import CancelledError
from streamgraph._protocols import Backend, Join, TaskRun, Work
from streamgraph._streams.backpressure import Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph.errors import ErrorLocation, GraphInterrupt


class TaskRunner(Protocol):
    """Interface of a run used to start subtasks."""

    def work(self, task: Task, stop: CancelToken, parent: Optional[Scope]) -> Work[Event]:
        """Return all the work of a task."""


class _Call(NamedTuple):
    """A task that is called inside another.

    Attributes:
        task: The task.
        caller: The scope in which it is called.
        future: Its result.
        stop: Its cancel token.
        counts: It counts towards the concurrency limit.
    """

    task: Task
    caller: Scope
    future: TaskFuture[Any]
    stop: CancelToken
    counts: bool


class _Waiting(NamedTuple):
    """A task that waits for its turn."""

    call: _Call
    job: TaskRun


class Subtasks:
    """The tasks that are called inside the tasks of one run.

    Args:
        parts: Makes their parts.
        ns: The namespace of the run.
        run: The run; held weakly, so that it is collected together with its stream.
        concurrency: The most subtasks that may run at once. Subtasks of subtasks do not count, since their callers keep
            a slot while they wait for them.
        put: Adds a part to the run's stream.
        backend: Starts them.
        saving: Stores their results, if the run is saved.

    Attributes:
        over: The run has ended, with or without an error; False if its consumer left early.
    """

    def __init__(
        self,
        parts: PartBuilder,
        ns: Tuple[str, ...],
        run: TaskRunner,
        concurrency: Optional[int],
        put: Put,
        backend: Backend,
        saving: Optional[Saving] = None,
    ) -> None:
        self.saving = saving
        self._parts = parts
        self._ns = ns
        self._run = ref(run)
        self._concurrency = concurrency
        self.over = False
        self._lock = threading.Lock()
        self._running = 0
        self._waiting: Deque[_Waiting] = deque()
        # The results of subtasks whose callers may run again, by their ids.
        self._finished: Dict[str, TaskResult] = {}
        self._put = put
        self._spawn = backend.spawn

    def start(self, caller: Scope, node: Node, given: Any) -> Any:
        """Start a subtask.

        Args:
            caller: The scope of the task that calls it.
            node: The function.
            given: Its arguments, positional and by name.

        Returns:
            A future of its result: one of the event loop that the caller is on, else one that blocks.

        Raises:
            StreamClosed: The calling task is cancelled.
            RuntimeError: Its run has ended.
        """
        if not self.over and caller.stop.is_set:
            caller.check_alive()
        run = self._run()
        if self.over or run is None or caller.stop.is_set:
            raise RuntimeError(f"The task {node.name!r} was called after the run it belongs to had ended.")
        stop = CancelToken(caller.stop)
        future: TaskFuture[Any] = TaskFuture(stop)
        index = caller.next_subtask()
        caller.wait_for(future)
        known: Optional[Known] = None
        if self.saving is None:
            id_ = task_id(child_seed(caller.task.id, -caller.attempt), 0, node.name, index)
        else:
            id_, known = self.saving.called(caller.task, caller.inner_ns, node.name, index)
        again = self._finished.get(id_)
        task = called_task(id_, node, given, caller.task, index)
        try:
            for part in self._parts.started(task) if again is None else ():
                self._put(part)
        except BaseException as error:  # its part was refused, so it is not started, and its future must not block
            future.settle(TaskFailed(task, error))
            raise
        if again is not None:
            future.settle(TaskDone(task, again, cached=True))
            return shown_to_caller(future)
        if known is not None and self._is_settled(task, caller, future, known):
            return shown_to_caller(future)
        counts = self._concurrency is not None and not caller.is_called
        call = _Call(task, caller, future, stop, counts)
        self._admit(_Waiting(call, TaskRun(copy_context(), self._work(run, call), stop, partial(future.lose, task))))
        return shown_to_caller(future)

    def _is_settled(self, task: Task, caller: Scope, future: TaskFuture[Any], known: Known) -> bool:
        """Return whether a subtask that had begun before need not run again: it had finished, or it still asks."""
        assert self.saving is not None
        if known.result is not None:
            future.settle(TaskDone(task, known.result, cached=True))
        elif caller.run.live is None and still_asks(known, self.saving.answers or None):
            signal = GraphInterrupt(tuple(known.questions))
            hand_on(caller, signal.interrupts)
            self._show(TaskSignalled(task, signal), future.stop)
            future.settle(TaskSignalled(task, signal))
        else:
            take_answers(task, "|".join((*self._ns, *task.ns_suffix)), known, self.saving.answers)
        return future.done()

    def _work(self, run: TaskRunner, call: _Call) -> Work[Event]:
        """Return all the work of a subtask, up to its future, which gets a result in every case."""
        task, stop = call.task, call.stop
        event: Event = TaskFailed(task, CancelledError())
        try:
            if not stop.is_set:
                event = yield from run.work(task, stop, call.caller)
            if isinstance(event, TaskDone) and call.caller.run.live is not None:
                self._finished[task.id] = event.outcome
            note = None if self.saving is None else _note(event)
            if note is not None and self.saving is not None:
                yield from self.saving.keep(note)
            if isinstance(event, TaskSignalled) and isinstance(event.signal, GraphInterrupt):
                hand_on(call.caller, event.signal.interrupts)
            self._show(event, stop)
        except GeneratorExit:
            raise
        except BaseException as error:
            # Its parts were refused, or the stream has no consumer any more.
            event = TaskFailed(task, error)
        finally:
            call.future.settle(event)
            if call.counts:
                self._admit_next()
        return event

    def _show(self, event: Event, stop: CancelToken) -> None:
        if stop.is_set:
            return
        task = event.task
        if isinstance(event, TaskSignalled):
            if not isinstance(event.signal, GraphInterrupt):
                return
            parts = self._parts.interrupted(task, event.signal.interrupts, called=True)
        elif isinstance(event, TaskFailed):
            event.error = as_public_error(task, event.error)
            locate(event.error, ErrorLocation(task.name, task.step, self._ns))
            parts = self._parts.failed(task, event.error, None)
        else:
            parts = self._parts.finished(task, event.outcome, event.cached)
        for part in parts:
            self._put(part)

    def _admit(self, waiting: _Waiting) -> None:
        if waiting.call.counts and self._concurrency is not None:
            with self._lock:
                must_wait = self._running >= self._concurrency
                if must_wait:
                    self._waiting.append(waiting)
                else:
                    self._running += 1
            if must_wait:
                waiting.call.stop.on_set(partial(self._abandon, waiting))
                return
        if not self._begin(waiting) and waiting.call.counts:
            self._admit_next()

    def _admit_next(self) -> None:
        begun = False
        while not begun:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                waiting = self._waiting.popleft()
            begun = self._begin(waiting)

    def _begin(self, waiting: _Waiting) -> bool:
        """Start a subtask, or set the reason why that fails as its result; return True if it was started."""
        try:
            self._spawn(waiting.job)
        except RuntimeError as error:
            waiting.job.work.close()
            waiting.call.future.settle(TaskFailed(waiting.call.task, error))
            return False
        return True

    def _abandon(self, waiting: _Waiting) -> None:
        """End a subtask that was cancelled before its turn came."""
        with self._lock:
            if waiting not in self._waiting:
                return
            self._waiting.remove(waiting)
        waiting.job.work.close()
        waiting.call.future.lose(waiting.call.task)


def _note(event: Event) -> Optional[Note]:
    """Return what is to be stored of a subtask; `None` for a command to a parent graph."""
    if isinstance(event, TaskDone):
        return Note(event.task, event.outcome)
    if isinstance(event, TaskFailed):
        return Note(event.task, None, event.error)
    return Note(event.task, None, None, event.signal.interrupts) if isinstance(event.signal, GraphInterrupt) else None


def settled(futures: Sequence[TaskFuture[Any]], *, cancel: bool = False) -> Work[None]:
    """Wait until these subtasks have ended, whether or not their results are retrieved.

    Args:
        futures: Their futures.
        cancel: Cancel them first.
    """
    running: List[TaskFuture[Any]] = [future for future in futures if not future.done()]
    if cancel:
        for future in running:
            future.cancel()
    if running:
        yield Join(running)
