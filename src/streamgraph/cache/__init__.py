"""Where the results of nodes with a `CachePolicy` are kept."""

from __future__ import annotations

from streamgraph.cache.memory import InMemoryCache

__all__ = ["InMemoryCache"]
