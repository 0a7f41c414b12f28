"""When a call of a saver is made again: the connection to its database was lost, or the database is busy."""

from __future__ import annotations

from time import monotonic
from typing import Iterator, Optional

_MOST_DEAD, _SHORT, _SHORTEST = 50, 1.0, 0.005
"""How many connections of a pool are tried at once, for how many seconds, and the pause between two of them.

A server that has been away leaves a pool of dead connections, and each is found to be dead by a call that fails.
"""

_PAUSES = (0.05, 0.25, 1.0)
"""Seconds between the attempts to reach a database that is away."""


def pauses() -> Iterator[Optional[float]]:
    """Yield the seconds to wait after each attempt that has failed, and `None` after the last one."""
    began = monotonic()
    for _ in range(_MOST_DEAD):
        yield _SHORTEST
        if monotonic() - began > _SHORT:
            break
    yield from _PAUSES
    yield None


def is_lost_connection(error: Exception) -> bool:
    """Return whether another attempt may succeed: the connection was lost, or the database is busy.

    The drivers of databases name it alike, and each has a class of its own for it (PEP 249).
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, ConnectionError) or not names.isdisjoint(("OperationalError", "InterfaceError"))
