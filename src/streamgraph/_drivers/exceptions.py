"""Exceptions on their way through a driver: into work, and out to the consumer."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Optional, TypeVar

from streamgraph._core.task import Task
from streamgraph.errors import NodeCancelledError


class WrappedExit(BaseException):
    """Carries a `GeneratorExit` or `StopIteration` of the user's into work, which would take it for its own end."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


E = TypeVar("E", BaseException, Optional[BaseException])


def wrap_for_throw(error: E) -> E:
    """Return `error` in a form that can be thrown into work."""
    return WrappedExit(error) if isinstance(error, (GeneratorExit, StopIteration)) else error


def unwrapped(error: BaseException) -> BaseException:
    """Return what `wrap_for_throw` was given."""
    return error.error if isinstance(error, WrappedExit) else error


def as_public_error(task: Task, error: BaseException) -> BaseException:
    """Return what is raised for an exception of a node: itself, but for those that mean something to whoever reads.

    Args:
        task: The task that it was raised in.
        error: The exception.
    """
    wrapped: BaseException
    if isinstance(error, (StopIteration, StopAsyncIteration, GeneratorExit)):
        # Raised as it is, it would end the reader's loop as if all were well (PEP 479), or its generator as if
        # somebody had closed that.
        wrapped = RuntimeError(f"Node {task.name!r} raised {type(error).__name__}.")
    elif isinstance(error, CancelledError):
        # A run that has asked for a cancellation is failing already and ignores what its tasks end with.
        wrapped = NodeCancelledError(
            "A node raised CancelledError though nobody had cancelled it",
            node=task.name,
            step=task.step,
            hint="Await cancelled tasks inside a try block.",
        )
    else:
        return error
    wrapped.__cause__ = error
    return wrapped
