"""Errors about a compiled graph itself; see `errors` for their place in the hierarchy."""

from __future__ import annotations

from typing import Sequence

from streamgraph._errors import GraphError
from streamgraph._signals import RunningTask


class FixedAttributeError(GraphError, AttributeError):
    """An attribute of a compiled graph was set, but nothing would read it."""


class NoCheckpointerError(GraphError, ValueError):
    """A method about saved runs was called, but no run of the graph is saved."""


class MissingPackageError(GraphError):
    """A feature needs a package that is not installed."""


class ThreadBusyError(GraphError, RuntimeError):
    """A run was started on a thread that has a run already."""


class UnstorableValueError(GraphError, TypeError):
    """A value cannot be stored by the saver; nothing of its step is."""


class RunCancelledError(GraphError):
    """The result of a run was asked for that was cancelled."""


class UnknownEventError(GraphError, ValueError):
    """A reader is to begin after an event that the run does not have."""


class StepTimeoutError(GraphError, TimeoutError):
    """A step took longer than the graph's `step_timeout`.

    Args:
        step: The superstep.
        elapsed: Seconds since its first task was started.
        timeout: The limit in seconds.
        running: The tasks that were running at the limit.
    """

    def __init__(self, step: int, elapsed: float, timeout: float, running: Sequence[RunningTask] = ()) -> None:
        names = ", ".join(f"node {task.node!r} for {task.elapsed:.3f}s" for task in running[:5])
        super().__init__(
            f"The step exceeded the step_timeout of {timeout:.3f}s (elapsed: {elapsed:.3f}s); running: {names}",
            step=step,
            hint="Raise the graph's step_timeout, or give slow nodes one of their own with add_node(timeout=...).",
        )
        self.elapsed = elapsed
        self.timeout = timeout
        self.running = tuple(running)
