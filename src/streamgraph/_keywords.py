"""Unknown keyword arguments: refused with the closest right name."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, TypeVar, cast

from streamgraph.errors import UnknownKeywordError

F = TypeVar("F", bound=Callable[..., Any])


def checked_keywords(function: F) -> F:
    """Make a method name the right keyword when it is called with a wrong one.

    A misspelt option that is silently ignored is the worst kind of error (langgraph #6451), and Python's own
    message suggests no name before 3.13.
    """
    known = tuple(inspect.signature(function).parameters)[1:]
    allowed = frozenset(known)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not allowed.issuperset(kwargs):
            name = next(key for key in kwargs if key not in allowed)
            raise UnknownKeywordError(f"{function.__name__}() has no argument {name!r}", name=name, known=known)
        return function(*args, **kwargs)

    return cast("F", call)
