"""Locations of errors in a graph, attached to the exceptions, so that the user's exceptions keep their types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple


@dataclass(frozen=True)
class ErrorLocation:
    """Location in a graph where an exception was raised.

    Attributes:
        node: The node's name.
        step: The superstep, counted from 1.
        namespace: The namespace of the graph, `()` for the root.
    """

    node: str
    step: int
    namespace: Tuple[str, ...] = ()


def locate(error: BaseException, location: ErrorLocation) -> None:
    """Attach `location` to `error`: as data for `location_of`, and as a note that a traceback shows from 3.11 on.

    Called once per graph level on the way up; the innermost location is the one kept as data.
    """
    depth = f" of {'|'.join(location.namespace)}" if location.namespace else ""
    note = f"While running node {location.node!r} in step {location.step}{depth}."
    if getattr(error, "__streamgraph_location__", None) is None:
        _set(error, "__streamgraph_location__", location)
    if note not in getattr(error, "__notes__", ()):
        add_note(error, note)


def add_note(error: BaseException, note: str) -> None:
    """Add a note that a traceback shows from Python 3.11 on; before, it can be read from `__notes__` (PEP 678)."""
    _set(error, "__notes__", [*getattr(error, "__notes__", ()), note])


def _set(error: BaseException, name: str, value: object) -> None:
    # Bypasses the __setattr__ of a class that refuses attributes, such as a frozen dataclass: every exception has a
    # dict.
    object.__setattr__(error, name, value)


def location_of(error: BaseException) -> Optional[ErrorLocation]:
    """Return the location in the graph at which `error` was raised, or `None` if it did not come from a node.

    Args:
        error: An exception caught around a graph run.
    """
    return getattr(error, "__streamgraph_location__", None)
