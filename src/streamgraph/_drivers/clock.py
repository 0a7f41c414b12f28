"""Keeping an eye on the clock while a consumer waits: heartbeats, and the end of its patience."""

from __future__ import annotations

from time import monotonic
from typing import Dict, Optional, Tuple

from streamgraph._core.task import Task
from streamgraph._protocols import Job
from streamgraph._signals import Heartbeat, RunningTask
from streamgraph._streams.flow import Pace
from streamgraph._streams.part import Emitted
from streamgraph.errors import RunTimeoutError


class Vigil:
    """The clock of one run that a consumer waits for.

    Args:
        pace: What the consumer asked for.
    """

    def __init__(self, pace: Pace) -> None:
        self._heartbeat = pace.heartbeat
        self._timeout = pace.timeout
        self._began: Optional[float] = None
        self._pulled = 0.0
        # Since when the consumer has waited, and got nothing but heartbeats.
        self._quiet = 0.0
        self._beaten = False
        self._tasks: Dict[str, Tuple[Task, Job, float]] = {}

    def pull(self) -> bool:
        """Take note that the consumer asks for a chunk; returns whether it has waited too long altogether."""
        self._pulled = now = monotonic()
        if not self._beaten:
            self._quiet = now
        self._beaten = False
        if self._began is None:
            self._began = now
        return self._timeout is not None and now - self._began >= self._timeout

    def started(self, task: Task, job: Job) -> None:
        """Take note that a task runs."""
        self._tasks[task.id] = (task, job, monotonic())

    def ended(self, task: Task) -> None:
        """Take note that a task has ended."""
        self._tasks.pop(task.id, None)

    def patience(self) -> float:
        """Return for how many seconds the consumer can be left without a word."""
        due = [self._pulled + self._heartbeat] if self._heartbeat is not None else []
        if self._timeout is not None and self._began is not None:
            due.append(self._began + self._timeout)
        return max(min(due) - monotonic(), 0)

    def word(self) -> Optional[Emitted]:
        """Return a heartbeat if it is time for one.

        Raises:
            RunTimeoutError: The run has taken longer than it may.
        """
        now = monotonic()
        if self._timeout is not None and self._began is not None and now - self._began >= self._timeout:
            raise self.error()
        if self._heartbeat is None or now - self._pulled < self._heartbeat:
            return None
        self._beaten = True
        return Emitted((), "heartbeat", Heartbeat(now - self._quiet, self._running(now)))

    def error(self) -> RunTimeoutError:
        """Return the error of a run that has taken too long."""
        assert self._timeout is not None
        assert self._began is not None
        now = monotonic()
        return RunTimeoutError(now - self._began, self._timeout, self._running(now))

    def _running(self, now: float) -> Tuple[RunningTask, ...]:
        return tuple(
            RunningTask(task.name, task.step, task.id, now - began)
            for task, job, began in tuple(self._tasks.values())
            if not job.over
        )
