"""Tool calls that have finished beside one that asks a question: what they wrote is kept until their task ends."""

from __future__ import annotations

from contextvars import copy_context
from functools import partial
from typing import Callable, Dict, Optional

from streamgraph._checkpoint.thread import SavedThread
from streamgraph._core.effects import Note
from streamgraph._core.events import Event, TaskDone
from streamgraph._core.plan import RETURN_KEY, Node
from streamgraph._core.results import Pairs, TaskResult
from streamgraph._core.task import called_task
from streamgraph._drivers.futures import TaskFuture
from streamgraph._langchain.scope import Scope
from streamgraph._protocols import Backend, TaskRun, Work

_TOOL_CALL = Node("tool_call", kind="task")
"""Stands for a tool call among the tasks of a step; a call is stored like a `@task` that was called in its node."""

_STORED = TaskResult(((RETURN_KEY, None),))


class FinishedCalls:
    """What finished tool calls of the tasks of one run have written.

    LangGraph passes over what is stored here when it continues the thread, and runs the calls again.

    Args:
        saved: The run's part of the thread.
        backend: Starts what stores beside the tools.
        keep: Stores a note, as work.
        known: Returns the result of a task that had finished before the run was continued.
        failed: Takes the error with which storing has failed; the run ends with it.
    """

    __slots__ = ("_backend", "_failed", "_finished", "_keep", "_known", "_saved")

    def __init__(
        self,
        saved: SavedThread,
        backend: Backend,
        keep: Callable[[Note], Work[None]],
        known: Callable[[str], Optional[TaskResult]],
        failed: Callable[[Exception], None],
    ) -> None:
        self._saved = saved
        self._backend = backend
        self._keep = keep
        self._known = known
        self._failed = failed
        # For a further attempt of the same run.
        self._finished: Dict[str, TaskResult] = {}

    def known(self, scope: Scope, key: str) -> Optional[Pairs]:
        """Return what a tool call has written, or `None` if it is to be run.

        Args:
            scope: The task that it runs in.
            key: Tells it from the other calls of the task.
        """
        id_ = self._id(scope, key)
        result = self._finished.get(id_) or self._known(id_)
        return None if result is None else result.writes

    def keep(self, scope: Scope, key: str, writes: Pairs) -> None:
        """Store what a tool call has written. The task does not end before that is done; thread-safe.

        Args:
            scope: The task that it runs in.
            key: Tells it from the other calls of the task.
            writes: What it has written, its messages under the key of a `@task`'s result.
        """
        result = TaskResult(writes)
        task = called_task(self._id(scope, key), _TOOL_CALL, None, scope.task, 0)
        self._finished[task.id] = result
        stored: TaskFuture[None] = TaskFuture(scope.stop)
        scope.wait_for(stored)
        work = self._store(Note(task, result), stored)
        self._backend.spawn(TaskRun(copy_context(), work, scope.stop, partial(stored.lose, task)))

    def _store(self, note: Note, stored: TaskFuture[None]) -> Work[Event]:
        event = TaskDone(note.task, _STORED)
        try:
            yield from self._keep(note)
        except Exception as error:
            self._failed(error)
        finally:
            stored.settle(event)
        return event

    def _id(self, scope: Scope, key: str) -> str:
        return self._saved.called(scope.task, scope.inner_ns, f"{_TOOL_CALL.name}:{key}", 0)
