"""What a cache for the results of nodes has to have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Dict, Generic, Mapping, Optional, Sequence, Tuple, TypeVar

__all__ = ["BaseCache", "FullKey", "Namespace"]

ValueT = TypeVar("ValueT")

Namespace = Tuple[str, ...]
"""Where values are kept together: those of one node."""

FullKey = Tuple[Namespace, str]
"""A namespace, and the key in it."""


class BaseCache(ABC, Generic[ValueT]):
    """Base class of caches for `compile(cache=...)`, with the methods of langgraph-checkpoint's.

    A subclass has all of them; sync runs call the sync ones, async runs the async ones. A cache that derives from
    langgraph-checkpoint's `BaseCache` is as good.

    Args:
        serde: What turns values into bytes and back, for caches outside of the process; this class does not use it.
    """

    def __init__(self, *, serde: object = None) -> None:
        self.serde = serde

    @abstractmethod
    def get(self, keys: Sequence[FullKey]) -> Dict[FullKey, ValueT]:
        """Return the values of the keys that are present and have not expired.

        Args:
            keys: Pairs of a namespace and a string.
        """

    @abstractmethod
    async def aget(self, keys: Sequence[FullKey]) -> Dict[FullKey, ValueT]:
        """Async form of `get`."""

    @abstractmethod
    def set(self, pairs: Mapping[FullKey, Tuple[ValueT, Optional[int]]]) -> None:
        """Store values, replacing earlier ones.

        Args:
            pairs: For each key the value and its time to live in seconds, `None` for no limit.
        """

    @abstractmethod
    async def aset(self, pairs: Mapping[FullKey, Tuple[ValueT, Optional[int]]]) -> None:
        """Async form of `set`."""

    @abstractmethod
    def clear(self, namespaces: Optional[Sequence[Namespace]] = None) -> None:
        """Delete the values of these namespaces, or all values.

        Args:
            namespaces: The namespaces; `None` for all.
        """

    @abstractmethod
    async def aclear(self, namespaces: Optional[Sequence[Namespace]] = None) -> None:
        """Async form of `clear`."""
