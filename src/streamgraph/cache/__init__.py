"""Caches for the results of nodes with a `CachePolicy`."""

from __future__ import annotations

from streamgraph.cache.base import BaseCache
from streamgraph.cache.memory import InMemoryCache

__all__ = ["BaseCache", "InMemoryCache"]
