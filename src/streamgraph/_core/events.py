"""What happens while a run is on."""

from __future__ import annotations

from typing import Optional, Union

from streamgraph._core.results import TaskResult
from streamgraph._core.task import Task
from streamgraph.errors import GraphBubbleUp


class TaskDone:
    """A task has finished.

    Args:
        task: The task.
        outcome: What it did.
        cached: It was not run, since what it does was known.
    """

    __slots__ = ("cached", "outcome", "task")

    def __init__(self, task: Task, outcome: TaskResult, cached: bool = False) -> None:
        self.task = task
        self.outcome = outcome
        self.cached = cached


class TaskFailed:
    """A task has ended with an exception, its cancellation included; a control signal is no failure.

    Args:
        task: The task.
        error: The exception.
        outcome: What its node did, if it was a branch after the node that failed.
    """

    __slots__ = ("error", "outcome", "task")

    def __init__(self, task: Task, error: BaseException, outcome: Optional[TaskResult] = None) -> None:
        self.task = task
        self.error = error
        self.outcome = outcome


class TaskSignalled:
    """A task has ended with a control signal: neither with a result nor with a failure.

    Nothing is shown of it, no error handler runs, and no note is added to the exception.

    Args:
        task: The task.
        signal: What is to reach whoever runs the graph: a request that the run be drained, a command for the parent.
    """

    __slots__ = ("signal", "task")

    def __init__(self, task: Task, signal: GraphBubbleUp) -> None:
        self.task = task
        self.signal = signal


Event = Union[TaskDone, TaskFailed, TaskSignalled]
"""What a run is fed. What tasks emit passes it by: the inbox they share keeps the order."""
