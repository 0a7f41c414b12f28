"""Errors about a compiled graph itself; see `errors` for their place in the hierarchy."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

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


class ThreadMovedError(ThreadBusyError):
    """Another process has continued or deleted the thread of a run, which ends: it could not store what it does.

    What it had stored is a branch of the thread.

    Args:
        thread_id: The thread.
        checkpoint_id: The last checkpoint of the run; `None` if it had none.
        head: The last checkpoint of the thread; `None` if the thread is empty.
    """

    def __init__(self, thread_id: str, checkpoint_id: Optional[str], head: Optional[str]) -> None:
        done = "deleted" if head is None else "continued"
        mine = f" What this one had stored is at checkpoint_id {checkpoint_id!r}." if checkpoint_id and head else ""
        super().__init__(
            f"Thread {thread_id!r} was {done} by another process while this run was on it",
            hint=f"Let one process at a time run a thread, and start again from what is there now.{mine}",
        )
        self.thread_id = thread_id
        self.checkpoint_id = checkpoint_id
        self.head = head

    def __reduce__(self) -> Tuple[object, ...]:
        return (type(self), (self.thread_id, self.checkpoint_id, self.head))


class EmptyInputError(GraphError):
    """A run was started without input."""


class UnknownCheckpointError(EmptyInputError, ValueError):
    """A run was to continue from a checkpoint that the thread does not have.

    Args:
        thread_id: The thread.
        checkpoint_id: The checkpoint.
    """

    def __init__(self, thread_id: str, checkpoint_id: str) -> None:
        super().__init__(
            f"Thread {thread_id!r} has no checkpoint {checkpoint_id!r}, so there is nothing to continue",
            hint="get_state_history lists those that it has; without a checkpoint_id a run goes on from the last.",
        )
        self.thread_id = thread_id
        self.checkpoint_id = checkpoint_id


class UnreadableCheckpointError(GraphError, ValueError):
    """A checkpoint is damaged, made from one that is gone, or of a newer version; nothing was run or stored."""


class UnstorableValueError(GraphError, TypeError):
    """A value cannot be stored by the saver; nothing of its step is."""


class StoredError(GraphError):
    """The failure of a node in an earlier run, of which only the text was stored; an error handler gets it."""


class RunCancelledError(GraphError):
    """The result of a run was asked for that was cancelled."""


class WorkerLostError(GraphError, ConnectionError):
    """The worker that ran a node was lost: its process, its machine, or the way to it; `RetryPolicy` retries it."""


class UnsendableValueError(GraphError, TypeError):
    """A value cannot be sent to or from the worker of a node; nothing was run with it."""


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
