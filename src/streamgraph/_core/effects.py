"""Effects: what a run asks its driver to do."""

from __future__ import annotations

from typing import Sequence, Union

from streamgraph._core.task import Task
from streamgraph._streams.part import Part
from streamgraph.errors import GraphBubbleUp


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
    """The run has ended with a result, which `Run.output` returns.

    It is not part of the effect: most consumers of a stream never ask for it.
    """

    __slots__ = ()


class Fail:
    """The run has failed: raise this error."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Exit:
    """The run has ended early and without a failure: raise this control signal to the run's caller."""

    __slots__ = ("signal",)

    def __init__(self, signal: GraphBubbleUp) -> None:
        self.signal = signal


class OpenStep:
    """A step has ended and another one is due: call `Run.open_step`.

    Until then the run's state and frontier are those after the step. Here a run can be saved, and later resumed.
    """

    __slots__ = ()


Effect = Union[Part, StartTask, CancelTasks, OpenStep, Finish, Fail, Exit]
"""An effect is an instruction, or a `Part` to hand out."""
