"""Actions: callables with a sync and an async form, for the two drivers."""

from __future__ import annotations

from typing import Any, Awaitable, Callable, NamedTuple, Optional


class Action(NamedTuple):
    """A callable in a sync and an async form.

    Attributes:
        sync: Calls it and returns the result; `None` if it can only be awaited.
        asyn: Returns an awaitable of the result; `None` if it can only be called.
    """

    sync: Optional[Callable[..., Any]]
    asyn: Optional[Callable[..., Awaitable[Any]]]
