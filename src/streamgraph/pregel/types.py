"""Types at a former place: each is in `streamgraph.types`, and importing it from here warns of that."""

from __future__ import annotations

import warnings

from streamgraph import types
from streamgraph.warnings import LangGraphDeprecatedSinceV10

_MOVED = (
    "All",
    "CachePolicy",
    "PregelExecutableTask",
    "PregelTask",
    "RetryPolicy",
    "StateSnapshot",
    "StateUpdate",
    "StreamMode",
    "StreamWriter",
    "default_retry_on",
)


def __getattr__(name: str) -> object:
    """Return a type that was here once.

    Args:
        name: Its name.

    Raises:
        AttributeError: It never was.
    """
    if name not in _MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"Importing {name} from streamgraph.pregel.types is deprecated. "
        f"Use `from streamgraph.types import {name}` instead.",
        LangGraphDeprecatedSinceV10,
        stacklevel=2,
    )
    found: object = getattr(types, name)
    return found
