"""What a run asks its driver to do."""

from __future__ import annotations

from typing import Any, Sequence, Union

from streamgraph._core.task import Task
from streamgraph._streams.part import Part


class StartTask:
    """Start a task.

    Args:
        task: The task.
        alone: No other task runs beside it, so it may run in place.
    """

    __slots__ = ("alone", "task")

    def __init__(self, task: Task, alone: bool) -> None:
        self.task = task
        self.alone = alone


class CancelTasks:
    """Cancel these tasks; each still reports its end."""

    __slots__ = ("tasks",)

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks


class Finish:
    """The run is over.

    Args:
        output: The final state, or `None` if nothing was ever written.
    """

    __slots__ = ("output",)

    def __init__(self, output: Any) -> None:
        self.output = output


class Fail:
    """The run is over: raise this."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


Effect = Union[Part, StartTask, CancelTasks, Finish, Fail]
"""What a run asks for; a part stands for itself: it is to be handed to whoever wants it."""
