"""Effects: what a run asks its driver to do."""

from __future__ import annotations

from typing import Optional, Sequence, Union

from streamgraph._core.record import Record
from streamgraph._core.results import TaskResult
from streamgraph._core.task import Task
from streamgraph._interrupts import Interrupt
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


class Note:
    """Store what a task has come to, while its step is not closed yet.

    Args:
        task: The task.
        result: Its result; `None` if it has failed or asks.
        error: Its failure.
        questions: What it asks; with neither a result nor a failure, all that it still asks.

    Attributes:
        answers: The answers to the questions that it asked before.
        call_answers: The answers to questions of one of several tool calls, by the ids of the questions.
    """

    __slots__ = ("answers", "call_answers", "error", "questions", "result", "task")

    def __init__(
        self,
        task: Task,
        result: Optional[TaskResult],
        error: Optional[BaseException] = None,
        questions: Sequence[Interrupt] = (),
    ) -> None:
        self.task = task
        self.result = result
        self.error = error
        self.questions = questions
        self.answers = task.answers
        self.call_answers = task.call_answers


class Save:
    """Store a record. All notes of its step come before it.

    Args:
        record: The record.
    """

    __slots__ = ("record",)

    def __init__(self, record: Record) -> None:
        self.record = record


Effect = Union[Part, StartTask, CancelTasks, OpenStep, Finish, Fail, Exit, Note, Save]
"""An effect is an instruction, or a `Part` to hand out."""
