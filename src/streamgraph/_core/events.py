"""Events: the ends of tasks, which are fed to a run."""

from __future__ import annotations

from typing import Optional, Union

from streamgraph._core.results import TaskResult
from streamgraph._core.task import Task
from streamgraph.errors import GraphBubbleUp


class TaskDone:
    """A task has finished.

    Args:
        task: The task.
        outcome: Its result.
        cached: The result comes from the cache; the node did not run.
    """

    __slots__ = ("cached", "outcome", "task")

    def __init__(self, task: Task, outcome: TaskResult, cached: bool = False) -> None:
        self.task = task
        self.outcome = outcome
        self.cached = cached


class TaskFailed:
    """A task has ended with an exception, including cancellation but not a control signal.

    Args:
        task: The task.
        error: The exception.
        outcome: The result of its node, if the failure is that of a branch after the node.
    """

    __slots__ = ("error", "outcome", "task")

    def __init__(self, task: Task, error: BaseException, outcome: Optional[TaskResult] = None) -> None:
        self.task = task
        self.error = error
        self.outcome = outcome


class TaskSignalled:
    """A task has ended with a control signal, without a result or a failure.

    It runs no error handler, adds no note to the exception, and makes no parts but those of questions.

    Args:
        task: The task.
        signal: The control signal for the caller of the graph: a drain, questions, or a command for the parent.
    """

    __slots__ = ("signal", "task")

    def __init__(self, task: Task, signal: GraphBubbleUp) -> None:
        self.task = task
        self.signal = signal


Event = Union[TaskDone, TaskFailed, TaskSignalled]
"""The input of `Run.feed`. Parts that tasks emit do not go through the run; the shared inbox keeps the order."""
