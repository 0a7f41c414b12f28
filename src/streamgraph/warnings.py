"""Warnings about deprecated names and arguments, with the classes that LangGraph has for them.

The hierarchy, with the builtin base class in parentheses::

    LangGraphDeprecationWarning (DeprecationWarning)
    ├── LangGraphDeprecatedSinceV05
    ├── LangGraphDeprecatedSinceV10
    └── LangGraphDeprecatedSinceV11

Filters for them are written as in LangGraph: `warnings.filterwarnings("ignore", category=LangGraphDeprecatedSinceV10)`.
The versions are LangGraph's: what is deprecated there is accepted here as long as it is there.
"""

from __future__ import annotations

from typing import Optional, Tuple

__all__ = [
    "LangGraphDeprecatedSinceV05",
    "LangGraphDeprecatedSinceV10",
    "LangGraphDeprecatedSinceV11",
    "LangGraphDeprecationWarning",
]

Version = Tuple[int, int]


class LangGraphDeprecationWarning(DeprecationWarning):
    """A name or argument is deprecated in LangGraph, and therefore here.

    Args:
        message: What is deprecated, and what to use instead.
        *args: Further arguments of the exception.
        since: The version of LangGraph that deprecated it: major and minor number.
        expected_removal: The version of LangGraph that is to remove it; by default the next major one.

    Attributes:
        message: The message without a final period.
        since: See above.
        expected_removal: See above.
    """

    def __init__(self, message: str, *args: object, since: Version, expected_removal: Optional[Version] = None) -> None:
        super().__init__(message, *args)
        self.message = message.rstrip(".")
        self.since = since
        self.expected_removal = (since[0] + 1, 0) if expected_removal is None else expected_removal

    def __str__(self) -> str:
        since, until = (".".join(map(str, version)) for version in (self.since, self.expected_removal))
        return f"{self.message}. Deprecated in LangGraph V{since} to be removed in V{until}."


class LangGraphDeprecatedSinceV05(LangGraphDeprecationWarning):
    """A name or argument is deprecated since LangGraph 0.5."""

    def __init__(self, message: str, *args: object) -> None:
        super().__init__(message, *args, since=(0, 5), expected_removal=(2, 0))


class LangGraphDeprecatedSinceV10(LangGraphDeprecationWarning):
    """A name or argument is deprecated since LangGraph 1.0."""

    def __init__(self, message: str, *args: object) -> None:
        super().__init__(message, *args, since=(1, 0), expected_removal=(2, 0))


class LangGraphDeprecatedSinceV11(LangGraphDeprecationWarning):
    """A name or argument is deprecated since LangGraph 1.1."""

    def __init__(self, message: str, *args: object) -> None:
        super().__init__(message, *args, since=(1, 1), expected_removal=(3, 0))
