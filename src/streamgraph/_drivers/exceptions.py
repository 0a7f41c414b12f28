"""Exceptions on their way through a driver: into work, and out to the consumer."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Optional, TypeVar

from streamgraph._core.task import Task
from streamgraph.errors import NodeCancelledError


class WrappedExit(BaseException):
    """Carries a node's `GeneratorExit` or `StopIteration` into work, which would take it for its own end."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


E = TypeVar("E", BaseException, Optional[BaseException])


def wrap_for_throw(error: E) -> E:
    """Return `error` in a form that can be thrown into work."""
    return WrappedExit(error) if isinstance(error, (GeneratorExit, StopIteration)) else error


def unwrapped(error: BaseException) -> BaseException:
    """Return the exception that was passed to `wrap_for_throw`."""
    return error.error if isinstance(error, WrappedExit) else error


def as_public_error(task: Task, error: BaseException) -> BaseException:
    """Return the exception that the consumer gets for an exception of a node.

    It is the same one, except for those with a meaning of their own for the consumer: `StopIteration`,
    `StopAsyncIteration`, `GeneratorExit` and `CancelledError`.

    Args:
        task: The task in which it was raised.
        error: The exception.
    """
    wrapped: BaseException
    if isinstance(error, (StopIteration, StopAsyncIteration, GeneratorExit)):
        # Raised as it is, it would end the consumer's loop without an error (PEP 479), or look like the closing of the
        # consumer's generator.
        wrapped = RuntimeError(f"Node {task.name!r} raised {type(error).__name__}.")
    elif isinstance(error, CancelledError):
        # A run that has cancelled its tasks is already failing and ignores their errors.
        wrapped = NodeCancelledError(
            task.name,
            "A node raised CancelledError though nobody had cancelled it",
            step=task.step,
            hint="Await cancelled tasks inside a try block.",
        )
    else:
        return error
    wrapped.__cause__ = error
    return wrapped
