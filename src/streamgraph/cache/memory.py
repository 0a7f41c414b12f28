"""A cache in the memory of the process."""

from __future__ import annotations

import copy
import threading
import time
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from streamgraph.cache.base import BaseCache, FullKey

__all__ = ["InMemoryCache"]


class InMemoryCache(BaseCache[Any]):
    """A cache in the memory of the process, for `compile(cache=InMemoryCache())`.

    Values are copied on their way in and out. It can be shared by graphs, threads and event loops. The caches of
    langgraph-checkpoint can be given in its place.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._kept: Dict[FullKey, Tuple[Any, Optional[float]]] = {}

    def get(self, keys: Sequence[FullKey]) -> Dict[FullKey, Any]:
        """Return the values of the keys that are present and have not expired.

        Args:
            keys: Pairs of a namespace and a string.
        """
        now = time.monotonic()
        found: Dict[FullKey, Any] = {}
        with self._lock:
            for key in keys:
                kept = self._kept.get(key)
                if kept is None:
                    continue
                if kept[1] is not None and kept[1] <= now:
                    del self._kept[key]
                else:
                    found[key] = copy.deepcopy(kept[0])
        return found

    def set(self, pairs: Mapping[FullKey, Tuple[Any, Optional[float]]]) -> None:
        """Store copies of the values, replacing earlier ones.

        Args:
            pairs: For each key the value and its time to live in seconds, `None` for no limit.
        """
        now = time.monotonic()
        copies = {
            key: (copy.deepcopy(value), None if ttl is None else now + ttl) for key, (value, ttl) in pairs.items()
        }
        with self._lock:
            self._kept.update(copies)

    def clear(self, namespaces: Optional[Sequence[Tuple[str, ...]]] = None) -> None:
        """Delete the values of these namespaces, or all values if `namespaces` is `None`."""
        with self._lock:
            if namespaces is None:
                self._kept.clear()
            else:
                self._kept = {key: kept for key, kept in self._kept.items() if key[0] not in namespaces}

    async def aget(self, keys: Sequence[FullKey]) -> Dict[FullKey, Any]:
        """Async form of `get`."""
        return self.get(keys)

    async def aset(self, pairs: Mapping[FullKey, Tuple[Any, Optional[float]]]) -> None:
        """Async form of `set`."""
        self.set(pairs)

    async def aclear(self, namespaces: Optional[Sequence[Tuple[str, ...]]] = None) -> None:
        """Async form of `clear`."""
        self.clear(namespaces)
