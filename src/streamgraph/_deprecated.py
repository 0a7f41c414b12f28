"""Deprecated keyword arguments and names: accepted under a warning that says what to use instead."""

from __future__ import annotations

import functools
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
    """What became of a keyword argument.

    Attributes:
        new: Its new name.
        category: The warning, which says since when.
    """

    new: str
    category: Type[LangGraphDeprecationWarning]


CONFIG_SCHEMA = Renamed("context_schema", LangGraphDeprecatedSinceV10)
INPUT = Renamed("input_schema", LangGraphDeprecatedSinceV05)
OUTPUT = Renamed("output_schema", LangGraphDeprecatedSinceV05)
RETRY = Renamed("retry_policy", LangGraphDeprecatedSinceV05)


def renamed_keywords(**renamed: Renamed) -> Callable[[F], F]:
    """Make a function accept old names of its keyword arguments.

    Args:
        **renamed: The old names, and what became of them.

    Returns:
        A decorator. The function raises `UnknownKeywordError` if an argument is given under both names.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*args: object, **kwargs: object) -> object:
            if not renamed.keys().isdisjoint(kwargs):
                kwargs = _under_new_names(function.__name__, kwargs, renamed)
            return function(*args, **kwargs)

        return cast("F", call)

    return decorate


def _under_new_names(function: str, given: Mapping[str, object], renamed: Mapping[str, Renamed]) -> Dict[str, object]:
    """Return keyword arguments under their new names, and warn of each that had an old one."""
    named = {name: value for name, value in given.items() if name not in renamed}
    for old, (new, category) in renamed.items():
        if old not in given:
            continue
        if named.get(new) is not None:
            raise UnknownKeywordError(
                f"{function}() got {new!r}, and {old!r}, its deprecated name", hint=f"Leave {old}= out."
            )
        # The caller of the function that this module decorates.
        warnings.warn(f"`{old}` is deprecated. Use `{new}` instead.", category, stacklevel=3)
        named[new] = given[old]
    return named
