"""What waits for a consumer that takes only so many parts at once, and what becomes of one too many.

Nothing in here waits, nor is it safe to be used from several threads: `Buffer` sees to both.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, Deque, Dict, Optional

from streamgraph._protocols import Batch, Coalescer
from streamgraph._signals import Gap
from streamgraph._streams.flow import FlowControl
from streamgraph._streams.part import Part
from streamgraph.errors import StreamOverflowError


class OverflowQueue:
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
        if type(item) is Part:
            self.parts += 1
        self._items.append(item)

    def offer(self, part: Part) -> bool:
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
        if type(item) is Part:
            self.parts -= 1
        return item

    def _overflow(self, part: Part) -> bool:
        """Do something about a part that is one too many; returns whether it need not wait."""
        return False


class DropOldestQueue(OverflowQueue):
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
        return Part((), "gap", gap)

    def _overflow(self, part: Part) -> bool:
        oldest = next(index for index, item in enumerate(self._items) if type(item) is Part)
        self._dropped[self._items[oldest].mode] += 1
        del self._items[oldest]
        self._items.append(part)
        return True


class RaisingQueue(OverflowQueue):
    """One too many is an error of the node that makes it."""

    @property
    def full(self) -> bool:
        """Waiting is not what was asked for."""
        return False

    def _overflow(self, part: Part) -> bool:
        raise StreamOverflowError(self.limit, part.source)


class _WaitingPart:
    """A part that waits, and what has been added to it."""

    __slots__ = ("batch", "part", "source")

    def __init__(self, part: Part, source: str) -> None:
        self.part = part
        self.source = source
        self.batch: Optional[Batch] = None

    def add(self, part: Part, coalescer: Coalescer) -> bool:
        if self.batch is None:
            self.batch = coalescer.batch(self.part)
        return self.batch is not None and part.mode == self.part.mode and self.batch.add(part.data)

    def sum(self) -> Part:
        if self.batch is None:
            return self.part
        part = self.part
        return Part(part.ns, part.mode, self.batch.sum(), part.source, part.key)


class CoalescingQueue(OverflowQueue):
    """One too many is added to the last one that waits of the same task, if they can be one.

    Args:
        limit: How many parts there may be.
        coalescer: Says which can be one.
    """

    def __init__(self, limit: int, coalescer: Coalescer) -> None:
        super().__init__(limit)
        self._coalescer = coalescer
        # By their tasks the parts that something may be added to: nothing of the task, nor of one around or inside it,
        # has come after them.
        self._last: Dict[str, _WaitingPart] = {}

    @property
    def full(self) -> bool:
        """Whether something has been taken in though it could neither be added nor wait where it was made."""
        return self.parts > self.limit

    def append(self, item: Any) -> None:
        """Take something in, be it one too many."""
        if type(item) is not Part:
            self._items.append(item)
            return
        source = self._coalescer.source(item)
        for other in [other for other in self._last if other.startswith(source) or source.startswith(other)]:
            del self._last[other]
        self._last[source] = waiting = _WaitingPart(item, source)
        self._items.append(waiting)
        self.parts += 1

    def pop(self) -> Any:
        """Return what comes next, with what was added to it."""
        item = super().pop()
        if type(item) is not _WaitingPart:
            return item
        self.parts -= 1
        if self._last.get(item.source) is item:
            del self._last[item.source]
        return item.sum()

    def _overflow(self, part: Part) -> bool:
        last = self._last.get(self._coalescer.source(part))
        return last is not None and last.add(part, self._coalescer)


def overflow_queue(flow: FlowControl, coalescer: Coalescer) -> OverflowQueue:
    """Return a store as the consumer wants it.

    Args:
        flow: What it asked for; with a limit.
        coalescer: Says which parts can be merged.
    """
    assert flow.max_buffer is not None
    if flow.overflow == "drop_oldest":
        return DropOldestQueue(flow.max_buffer)
    if flow.overflow == "raise":
        return RaisingQueue(flow.max_buffer)
    return (
        CoalescingQueue(flow.max_buffer, coalescer) if flow.overflow == "coalesce" else OverflowQueue(flow.max_buffer)
    )
