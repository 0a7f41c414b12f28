"""Heartbeats and the time limit of a run, measured while a consumer waits."""

from __future__ import annotations

from time import monotonic
from typing import Dict, Optional, Tuple

from streamgraph._core.task import Task
from streamgraph._protocols import TaskRun
from streamgraph._signals import Heartbeat, RunningTask
from streamgraph._streams.flow import FlowControl
from streamgraph._streams.part import Part
from streamgraph.errors import RunTimeoutError


class ConsumerClock:
    """The clock of one run.

    Args:
        flow: The consumer's flow-control options.
    """

    def __init__(self, flow: FlowControl) -> None:
        self._heartbeat = flow.heartbeat
        self._timeout = flow.timeout
        self._began: Optional[float] = None
        self._asked_at = 0.0
        # Start of the current wait: heartbeats do not reset it, other chunks do.
        self._silent_since = 0.0
        self._sent_heartbeat = False
        self._tasks: Dict[str, Tuple[Task, TaskRun, float]] = {}

    def pull(self) -> bool:
        """Record that the consumer asks for a chunk; return True if the run's time limit is over."""
        self._asked_at = now = monotonic()
        if not self._sent_heartbeat:
            self._silent_since = now
        self._sent_heartbeat = False
        if self._began is None:
            self._began = now
        return self._timeout is not None and now - self._began >= self._timeout

    def started(self, task: Task, job: TaskRun) -> None:
        """Record the start of a task."""
        self._tasks[task.id] = (task, job, monotonic())

    def ended(self, task: Task) -> None:
        """Record the end of a task."""
        self._tasks.pop(task.id, None)

    def seconds_left(self) -> float:
        """Return the seconds until the next heartbeat or the time limit."""
        due = [self._asked_at + self._heartbeat] if self._heartbeat is not None else []
        if self._timeout is not None and self._began is not None:
            due.append(self._began + self._timeout)
        return max(min(due) - monotonic(), 0)

    def poll(self) -> Optional[Part]:
        """Return a heartbeat if one is due, else `None`.

        Raises:
            RunTimeoutError: The time limit of the run is over.
        """
        now = monotonic()
        if self._timeout is not None and self._began is not None and now - self._began >= self._timeout:
            raise self.error()
        if self._heartbeat is None or now - self._asked_at < self._heartbeat:
            return None
        self._sent_heartbeat = True
        return Part((), "heartbeat", Heartbeat(now - self._silent_since, self._running(now)))

    def error(self) -> RunTimeoutError:
        """Return the error for a run that exceeds its time limit."""
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
