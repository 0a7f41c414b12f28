"""The errors after which a node is tried again."""

from __future__ import annotations

from streamgraph.types import default_retry_on

__all__ = [
    "default_retry_on",  # applications that extend the default policy
]
