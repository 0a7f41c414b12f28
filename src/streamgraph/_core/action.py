"""Something that can be called, by drivers that wait in different ways."""

from __future__ import annotations

from typing import Any, Awaitable, Callable, NamedTuple, Optional


class Action(NamedTuple):
    """Something that can be called.

    Attributes:
        sync: Calls it and returns the result; `None` if it can only be awaited.
        asyn: Returns an awaitable of the result; `None` if it can only be called.
    """

    sync: Optional[Callable[..., Any]]
    asyn: Optional[Callable[..., Awaitable[Any]]]
