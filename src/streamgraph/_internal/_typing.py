"""Types."""

from __future__ import annotations

from typing import Tuple

from typing_extensions import TypedDict

from streamgraph.typing import StateLike

__all__ = [
    "EMPTY_SEQ",  # libraries that make node specs
    "MISSING",  # langgraph-supervisor, langgraph-swarm
    "DeprecatedKwargs",  # langgraph-supervisor, langgraph-swarm
    "StateLike",  # builders of graphs with generic states
]

MISSING = object()
"""Stands for an argument that was not given."""

EMPTY_SEQ: Tuple[str, ...] = ()
"""No names."""


class DeprecatedKwargs(TypedDict):
    """Type of `**kwargs` that take only deprecated arguments, so that type checkers refuse all of them."""
