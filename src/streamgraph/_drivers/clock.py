"""Heartbeats and the time limits of a run and of its steps, measured while a consumer waits."""

from __future__ import annotations

from time import monotonic
from typing import Callable, Dict, Optional, Tuple, Union

from streamgraph._core.task import Task
from streamgraph._protocols import TaskRun
from streamgraph._signals import Heartbeat, RunningTask
from streamgraph._streams.flow import FlowControl
from streamgraph._streams.part import Part
from streamgraph.errors import RunTimeoutError, StepTimeoutError

TimeLimitError = Union[RunTimeoutError, StepTimeoutError]


class ConsumerClock:
    """The clock of one run.

    Args:
        flow: The consumer's flow-control options.
    """

    def __init__(self, flow: FlowControl) -> None:
        self._heartbeat = flow.heartbeat
        self._timeout = flow.timeout
        self._step_timeout = flow.step_timeout
        self._began: Optional[float] = None
        self._asked_at = 0.0
        # Start of the current wait: heartbeats do not reset it, other chunks do.
        self._silent_since = 0.0
        self._sent_heartbeat = False
        self._tasks: Dict[str, Tuple[Task, TaskRun, float]] = {}
        self._step: Optional[int] = None
        self._step_began = 0.0
        # The open questions, and when the first of them was asked: meanwhile the time of the step stands still.
        self._waits = 0
        self._waits_since = 0.0

    def pull(self) -> Optional[TimeLimitError]:
        """Record that the consumer asks for a chunk; return the error if a time limit is over."""
        self._asked_at = now = monotonic()
        if not self._sent_heartbeat:
            self._silent_since = now
        self._sent_heartbeat = False
        if self._began is None:
            self._began = now
        return self._exceeded(now)

    def started(self, task: Task, job: TaskRun) -> None:
        """Record the start of a task."""
        now = monotonic()
        if task.step != self._step:
            self._step, self._step_began = task.step, now
        self._tasks[task.id] = (task, job, now)

    def ended(self, task: Task) -> None:
        """Record the end of a task."""
        self._tasks.pop(task.id, None)

    def waits(self, more: int) -> None:
        """Record that tasks wait for a person, or do so no longer.

        Args:
            more: How many more do.
        """
        now = monotonic()
        if not self._waits:
            self._waits_since = now
        self._waits += more
        if not self._waits:
            self._step_began += now - self._waits_since

    def seconds_left(self) -> float:
        """Return the seconds until the next heartbeat or time limit; with neither ahead, a long time."""
        due = [_NEVER, *(limit for limit in (self._run_ends(), self._step_ends()) if limit is not None)]
        if self._heartbeat is not None:
            due.append(self._asked_at + self._heartbeat)
        return max(min(min(due) - monotonic(), _LONGEST_WAIT), 0)

    def poll(self, running: Optional[Callable[[], Tuple[RunningTask, ...]]] = None) -> Optional[Part]:
        """Return a heartbeat if one is due, else `None`.

        Args:
            running: Returns the running tasks; by default those are that this clock was told of.

        Raises:
            RunTimeoutError: The time limit of the run is over.
            StepTimeoutError: The time limit of the step is over.
        """
        now = monotonic()
        error = self._exceeded(now)
        if error is not None:
            raise error
        if self._heartbeat is None or now - self._asked_at < self._heartbeat:
            return None
        self._sent_heartbeat = True
        return Part(
            (), "heartbeat", Heartbeat(now - self._silent_since, self._running(now) if running is None else running())
        )

    def _run_ends(self) -> Optional[float]:
        return None if self._timeout is None or self._began is None else self._began + self._timeout

    def _step_ends(self) -> Optional[float]:
        """Return when the time of the current step is over; between two steps, and for a person, there is none."""
        if self._step_timeout is None or not self._tasks or self._waits:
            return None
        return self._step_began + self._step_timeout

    def _exceeded(self, now: float) -> Optional[TimeLimitError]:
        if self._timeout is None and self._step_timeout is None:
            return None
        run_ends, step_ends = self._run_ends(), self._step_ends()
        if run_ends is not None and now >= run_ends:
            assert self._timeout is not None
            assert self._began is not None
            return RunTimeoutError(now - self._began, self._timeout, self._running(now))
        if step_ends is not None and now >= step_ends:
            running = self._running(now)
            if running:  # else the ends of the step's tasks are in the inbox already
                assert self._step is not None
                assert self._step_timeout is not None
                return StepTimeoutError(self._step, now - self._step_began, self._step_timeout, running)
        return None

    def _running(self, now: float) -> Tuple[RunningTask, ...]:
        return tuple(
            RunningTask(task.name, task.step, task.id, now - began)
            for task, job, began in tuple(self._tasks.values())
            if not job.over
        )


_NEVER = float("inf")
_LONGEST_WAIT = 3600.0
"""Seconds after which a wait without any limit ahead is begun anew: locks take no infinite time."""
