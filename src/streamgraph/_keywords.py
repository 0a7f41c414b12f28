"""Unknown keyword arguments: refused with the closest right name."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, Mapping, TypeVar, cast

from streamgraph.errors import UnknownKeywordError

F = TypeVar("F", bound=Callable[..., Any])


def checked_keywords(function: F) -> F:
    """Make a method raise an error with the closest right name for an unknown keyword.

    A misspelt option that is silently ignored is the worst kind of error (langgraph #6451), and Python's own message
    suggests no name before 3.13.
    """
    known = tuple(name for name in inspect.signature(function).parameters if name != "self")
    allowed = frozenset(known)

    def check(kwargs: Mapping[str, Any]) -> None:
        if not allowed.issuperset(kwargs):
            name = next(key for key in kwargs if key not in allowed)
            raise UnknownKeywordError(f"{function.__name__}() has no argument {name!r}", name=name, known=known)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        check(kwargs)
        return function(*args, **kwargs)

    @functools.wraps(function)
    async def acall(*args: Any, **kwargs: Any) -> Any:
        check(kwargs)
        return await function(*args, **kwargs)

    # A coroutine function stays one, since callers may check the bound method for that.
    return cast("F", acall if inspect.iscoroutinefunction(function) else call)


def takes_options(options: type, **defaults: object) -> Callable[[F], F]:
    """Show the options of a function with `**options` as parameters of their own: to `help`, editors and checks.

    Args:
        options: The TypedDict of the options.
        **defaults: The default values of the options for which it is not `None`.
    """

    def mark(function: F) -> F:
        *shown, _ = inspect.signature(function).parameters.values()
        for name, annotation in options.__annotations__.items():
            default = defaults.get(name)
            shown.append(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            )
        function.__signature__ = inspect.signature(function).replace(parameters=shown)  # type: ignore[attr-defined]
        return function

    return mark
