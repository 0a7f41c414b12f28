"""Types."""

from __future__ import annotations

from typing import Tuple

from typing_extensions import TypedDict

from streamgraph.channels.base import MISSING
from streamgraph.typing import StateLike

__all__ = [
    "EMPTY_SEQ",  # libraries that make node specs
    "MISSING",  # langgraph-supervisor, langgraph-swarm; users' channel classes
    "DeprecatedKwargs",  # langgraph-supervisor, langgraph-swarm
    "StateLike",  # builders of graphs with generic states
]

EMPTY_SEQ: Tuple[str, ...] = ()
"""No names."""


class DeprecatedKwargs(TypedDict):
    """Type of `**kwargs` that take only deprecated arguments, so that type checkers refuse all of them."""
