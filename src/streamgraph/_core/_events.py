"""What happens while a run is on."""

from __future__ import annotations

from typing import Any, Optional, Tuple, Union

from streamgraph._core._returns import Outcome
from streamgraph._core._task import Task


class Emitted:
    """Something made while a task runs: a token, custom data, or a part of a nested graph.

    Args:
        ns: The namespace of the graph it was made in.
        mode: The stream mode it belongs to.
        data: The payload.
        source: The node it comes from, if it comes from one.
        key: The state key that a message was written to.
    """

    __slots__ = ("data", "key", "mode", "ns", "source")

    def __init__(
        self, ns: Tuple[str, ...], mode: str, data: Any, source: Optional[str] = None, key: Optional[str] = None
    ) -> None:
        self.ns = ns
        self.mode = mode
        self.data = data
        self.source = source
        self.key = key


class TaskDone:
    """A task has finished.

    Args:
        task: The task.
        outcome: What it did.
        cached: It was not run, since what it does was known.
    """

    __slots__ = ("cached", "outcome", "task")

    def __init__(self, task: Task, outcome: Outcome, cached: bool = False) -> None:
        self.task = task
        self.outcome = outcome
        self.cached = cached


class TaskFailed:
    """A task has ended with an exception, its cancellation included.

    Args:
        task: The task.
        error: The exception.
        outcome: What its node did, if it was a branch after the node that failed.
    """

    __slots__ = ("error", "outcome", "task")

    def __init__(self, task: Task, error: BaseException, outcome: Optional[Outcome] = None) -> None:
        self.task = task
        self.error = error
        self.outcome = outcome


Event = Union[TaskDone, TaskFailed]
"""What a run is fed. What tasks emit passes it by: the inbox they share keeps the order."""
