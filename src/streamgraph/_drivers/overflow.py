"""What waits for a consumer that takes only so many parts at once, and what becomes of one too many.

Nothing in here waits, nor is it safe to be used from several threads: `Buffer` sees to both.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, Deque, Dict, Optional

from streamgraph._protocols import Merging, Pile
from streamgraph._signals import Gap
from streamgraph._streams.flow import Pace
from streamgraph._streams.part import Emitted
from streamgraph.errors import StreamOverflowError


class Store:
    """Parts and the ends of tasks, first in, first out; of the parts only so many. One too many has to wait outside.

    Args:
        limit: How many parts there may be. Ends of tasks are few, and always welcome.

    Attributes:
        parts: How many parts there are.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.parts = 0
        self._items: Deque[Any] = deque()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self._items

    @property
    def full(self) -> bool:
        """Whether it is better to wait than to offer a part."""
        return self.parts >= self.limit

    def append(self, item: Any) -> None:
        """Take something in, be it one too many."""
        if type(item) is Emitted:
            self.parts += 1
        self._items.append(item)

    def offer(self, part: Emitted) -> bool:
        """Take a part in, unless it has to wait."""
        if self.parts >= self.limit:
            return self._overflow(part)
        self.append(part)
        return True

    def pop(self) -> Any:
        """Return what comes next, or `None` if there is nothing."""
        if not self._items:
            return None
        item = self._items.popleft()
        if type(item) is Emitted:
            self.parts -= 1
        return item

    def _overflow(self, part: Emitted) -> bool:
        """Do something about a part that is one too many; returns whether it need not wait."""
        return False


class DroppingStore(Store):
    """The oldest part goes, and a gap tells of it before whatever is next."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._dropped: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Waiting is never called for."""
        return False

    def pop(self) -> Any:
        """Return what comes next: first of all what is missing."""
        if not self._dropped:
            return super().pop()
        gap = Gap(sum(self._dropped.values()), dict(self._dropped))
        self._dropped.clear()
        return Emitted((), "gap", gap)

    def _overflow(self, part: Emitted) -> bool:
        oldest = next(index for index, item in enumerate(self._items) if type(item) is Emitted)
        self._dropped[self._items[oldest].mode] += 1
        del self._items[oldest]
        self._items.append(part)
        return True


class RefusingStore(Store):
    """One too many is an error of the node that makes it."""

    @property
    def full(self) -> bool:
        """Waiting is not what was asked for."""
        return False

    def _overflow(self, part: Emitted) -> bool:
        raise StreamOverflowError(self.limit, part.source)


class _Waiting:
    """A part that waits, and what has been added to it."""

    __slots__ = ("part", "pile", "place")

    def __init__(self, part: Emitted, place: str) -> None:
        self.part = part
        self.place = place
        self.pile: Optional[Pile] = None

    def add(self, part: Emitted, merging: Merging) -> bool:
        if self.pile is None:
            self.pile = merging.pile(self.part)
        return self.pile is not None and part.mode == self.part.mode and self.pile.add(part.data)

    def sum(self) -> Emitted:
        if self.pile is None:
            return self.part
        part = self.part
        return Emitted(part.ns, part.mode, self.pile.sum(), part.source, part.key)


class MergingStore(Store):
    """One too many is added to the last one that waits of the same task, if they can be one.

    Args:
        limit: How many parts there may be.
        merging: Says which can be one.
    """

    def __init__(self, limit: int, merging: Merging) -> None:
        super().__init__(limit)
        self._merging = merging
        # By their tasks the parts that something may be added to: nothing of the task, nor of one around or inside it,
        # has come after them.
        self._last: Dict[str, _Waiting] = {}

    @property
    def full(self) -> bool:
        """Whether something has been taken in though it could neither be added nor wait where it was made."""
        return self.parts > self.limit

    def append(self, item: Any) -> None:
        """Take something in, be it one too many."""
        if type(item) is not Emitted:
            self._items.append(item)
            return
        place = self._merging.place(item)
        for other in [other for other in self._last if other.startswith(place) or place.startswith(other)]:
            del self._last[other]
        self._last[place] = waiting = _Waiting(item, place)
        self._items.append(waiting)
        self.parts += 1

    def pop(self) -> Any:
        """Return what comes next, with what was added to it."""
        item = super().pop()
        if type(item) is not _Waiting:
            return item
        self.parts -= 1
        if self._last.get(item.place) is item:
            del self._last[item.place]
        return item.sum()

    def _overflow(self, part: Emitted) -> bool:
        last = self._last.get(self._merging.place(part))
        return last is not None and last.add(part, self._merging)


def store_of(pace: Pace, merging: Merging) -> Store:
    """Return a store as the consumer wants it.

    Args:
        pace: What it asked for; with a limit.
        merging: Says which parts can be merged.
    """
    assert pace.max_buffer is not None
    if pace.overflow == "drop_oldest":
        return DroppingStore(pace.max_buffer)
    if pace.overflow == "raise":
        return RefusingStore(pace.max_buffer)
    return MergingStore(pace.max_buffer, merging) if pace.overflow == "coalesce" else Store(pace.max_buffer)
