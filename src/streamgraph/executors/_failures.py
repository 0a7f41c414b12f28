"""Exceptions on their way from a worker: each of its own class where that can be made again, with its causes."""

from __future__ import annotations

import traceback
from typing import Any, Iterator, List, Mapping

from streamgraph.executors._wire import is_sendable, unpacked
from streamgraph.serialization import RemoteError, SerializationError, dumps

_DEEPEST = 8
"""The most exceptions of a chain that are sent."""


class RemoteTraceback(Exception):  # noqa: N818  (it is no error by itself)
    """The traceback of an exception on the worker, as text: the cause of the first one in the chain.

    Args:
        text: The traceback.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def packed_error(error: BaseException) -> List[object]:
    """Return an exception as data: the texts of its chain, and its traceback.

    Args:
        error: The exception.
    """
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return [text, *map(_written, _chain(error))]


def unpacked_error(data: List[Any]) -> BaseException:
    """Return the exception that `packed_error` was given."""
    text, *chain = data
    errors = [_read(one) for one in chain]
    for error, cause in zip(errors, [*errors[1:], RemoteTraceback(text)]):
        error.__cause__ = cause
    return errors[0]


def _chain(error: BaseException) -> Iterator[BaseException]:
    following: Any = error
    for _ in range(_DEEPEST):
        if following is None:
            return
        yield following
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _written(error: BaseException) -> Mapping[str, object]:
    cls = type(error)
    known = {"class": f"{cls.__module__}:{cls.__qualname__}", "message": _message_of(error)}
    return {**known, "exact": dumps(error).decode()} if is_sendable(error) else known


def _read(data: Mapping[str, Any]) -> BaseException:
    try:
        if "exact" in data:
            error = unpacked(data["exact"])
            if isinstance(error, BaseException):
                return error
    except (SerializationError, TypeError):
        # Its class cannot be made from what it says of itself; what stands for it says what it was.
        pass
    return RemoteError(data["class"], data["message"])


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        return f"(its str() raises {type(failure).__name__})"
