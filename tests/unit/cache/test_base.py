"""A cache of the user's own derives from the base class, and has to have all methods."""

from __future__ import annotations

import pytest

from streamgraph import START, StateGraph
from streamgraph.cache.base import BaseCache
from streamgraph.cache.memory import InMemoryCache
from streamgraph.types import CachePolicy


class Own(BaseCache):
    """A cache that counts."""

    def __init__(self):
        """Start with nothing."""
        super().__init__()
        self.kept = {}

    def get(self, keys):
        """Find."""
        return {key: self.kept[key] for key in keys if key in self.kept}

    def set(self, pairs):
        """Keep."""
        self.kept.update({key: value for key, (value, _) in pairs.items()})

    def clear(self, namespaces=None):
        """Forget."""
        self.kept.clear()

    async def aget(self, keys):
        """Find."""
        return self.get(keys)

    async def aset(self, pairs):
        """Keep."""
        self.set(pairs)

    async def aclear(self, namespaces=None):
        """Forget."""
        self.clear(namespaces)


def test_a_cache_of_ones_own():
    """A graph uses it."""
    ran, cache = [], Own()
    builder = StateGraph(dict).add_node("a", lambda state: ran.append(1) or {"x": 1}, cache_policy=CachePolicy())
    graph = builder.add_edge(START, "a").compile(cache=cache)
    assert graph.invoke({}) == graph.invoke({})
    assert ran == [1]
    assert len(cache.kept) == 1


def test_missing_methods():
    """Whoever leaves one out is told when the cache is made."""

    class Half(BaseCache):
        def get(self, keys):
            return {}

    with pytest.raises(TypeError, match="aclear"):
        Half()


def test_the_cache_in_memory_is_one():
    """Libraries ask."""
    assert isinstance(InMemoryCache(), BaseCache)
