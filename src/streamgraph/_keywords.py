"""Keyword arguments: unknown ones are refused with the closest right name, deprecated ones accepted under a warning."""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import Any, Callable, Dict, Mapping, NamedTuple, Type, TypeVar, cast

from streamgraph.errors import UnknownKeywordError
from streamgraph.warnings import (
    LangGraphDeprecatedSinceV05,
    LangGraphDeprecatedSinceV10,
    LangGraphDeprecationWarning,
)

F = TypeVar("F", bound=Callable[..., Any])


class Renamed(NamedTuple):
    """What became of a deprecated keyword argument.

    Attributes:
        new: Its new name.
        category: The warning, which says since when.
        convert: Returns the new argument for the old one.
    """

    new: str
    category: Type[LangGraphDeprecationWarning]
    convert: Callable[[Any], object] = lambda given: given


CHECKPOINT_DURING = Renamed("durability", LangGraphDeprecatedSinceV10, lambda during: "async" if during else "exit")
CONFIG_SCHEMA = Renamed("context_schema", LangGraphDeprecatedSinceV10)
INPUT = Renamed("input_schema", LangGraphDeprecatedSinceV05)
OUTPUT = Renamed("output_schema", LangGraphDeprecatedSinceV05)
RETRY = Renamed("retry_policy", LangGraphDeprecatedSinceV05)


def checked_keywords(function: F) -> F:
    """Make a method raise an error with the closest right name for an unknown keyword.

    A misspelt option that is silently ignored is the worst kind of error (langgraph #6451), and Python's own message
    suggests no name before 3.13.
    """
    return _checked(function, {})


def renamed_keywords(**renamed: Renamed) -> Callable[[F], F]:
    """Do the same, and make the function accept old names of its keyword arguments.

    Args:
        **renamed: The old names, and what became of them.

    Returns:
        A decorator. The function raises `UnknownKeywordError` if an argument is given under both names.
    """
    return lambda function: _checked(function, renamed)


def _checked(function: F, renamed: Mapping[str, Renamed]) -> F:
    known = tuple(name for name in inspect.signature(function).parameters if name != "self")
    allowed = frozenset(known)

    def read(kwargs: Dict[str, Any]) -> Dict[str, Any]:
        """Return the arguments under their new names, if some have old ones."""
        named = {name: value for name, value in kwargs.items() if name not in renamed}
        for name in named:
            if name not in allowed:
                raise UnknownKeywordError(f"{function.__name__}() has no argument {name!r}", name=name, known=known)
        for old, (new, category, convert) in renamed.items():
            if old not in kwargs:
                continue
            if named.get(new) is not None:
                raise UnknownKeywordError(
                    f"{function.__name__}() got {new!r}, and {old!r}, its deprecated name", hint=f"Leave {old}= out."
                )
            # Programs ignore these warnings by the text that LangGraph gives them.
            text = f"`{old}` is deprecated and will be removed. Please use `{new}` instead."
            warnings.warn(text, category, stacklevel=3)
            named[new] = convert(kwargs[old])
        return named

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not allowed.issuperset(kwargs):
            kwargs = read(kwargs)
        return function(*args, **kwargs)

    @functools.wraps(function)
    async def acall(*args: Any, **kwargs: Any) -> Any:
        if not allowed.issuperset(kwargs):
            kwargs = read(kwargs)
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
