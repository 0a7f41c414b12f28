"""Bounded queues of parts, one class per overflow policy.

They neither block nor are thread-safe: `BoundedBuffer` adds both.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, Deque, Dict, Optional

from streamgraph._protocols import Batch, Coalescer
from streamgraph._signals import Gap
from streamgraph._streams.flow import FlowControl
from streamgraph._streams.part import Part
from streamgraph._telemetry.streams import STREAMS
from streamgraph.errors import StreamOverflowError


class OverflowQueue:
    """FIFO queue of parts and events with a limited number of parts; a part beyond the limit is refused (`"block"`).

    Args:
        limit: The most parts. Events are few and always accepted.

    Attributes:
        parts: Number of parts in the queue.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.parts = 0
        self._items: Deque[Any] = deque()

    @property
    def empty(self) -> bool:
        """True if there is nothing to take."""
        return not self._items

    @property
    def full(self) -> bool:
        """True if a producer should wait before it offers a part."""
        return self.parts >= self.limit

    def append(self, item: Any) -> None:
        """Add an item, even beyond the limit."""
        if isinstance(item, Part):
            self.parts += 1
        self._items.append(item)

    def offer(self, part: Part) -> bool:
        """Add a part; return False if it is refused and its producer has to wait."""
        if self.parts >= self.limit:
            return self._overflow(part)
        self.append(part)
        return True

    def pop(self) -> Any:
        """Remove and return the next item, or return `None` if there is none."""
        if not self._items:
            return None
        item = self._items.popleft()
        if isinstance(item, Part):
            self.parts -= 1
        return item

    def _overflow(self, part: Part) -> bool:
        """Handle a part beyond the limit; return False if its producer has to wait."""
        return False


class DropOldestQueue(OverflowQueue):
    """Drops the oldest part; a `gap` part that counts the dropped ones precedes the next item."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._dropped: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """Always False: producers never wait."""
        return False

    def pop(self) -> Any:
        """Return the next item; a pending gap comes first."""
        if not self._dropped:
            return super().pop()
        gap = Gap(sum(self._dropped.values()), dict(self._dropped))
        STREAMS.dropped("stream", gap.dropped)
        self._dropped.clear()
        return Part((), "gap", gap)

    def _overflow(self, part: Part) -> bool:
        oldest = next(index for index, item in enumerate(self._items) if isinstance(item, Part))
        self._dropped[self._items[oldest].mode] += 1
        del self._items[oldest]
        self._items.append(part)
        return True


class RaisingQueue(OverflowQueue):
    """Raises `StreamOverflowError` in the node that makes a part beyond the limit."""

    @property
    def full(self) -> bool:
        """Always False: producers never wait."""
        return False

    def _overflow(self, part: Part) -> bool:
        raise StreamOverflowError(self.limit, part.source)


class _WaitingPart:
    """A part in the queue, together with the parts that were merged into it."""

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
    """Merges a part beyond the limit into the last part of the same task, if the coalescer can.

    Args:
        limit: The most parts.
        coalescer: Merges parts.
    """

    def __init__(self, limit: int, coalescer: Coalescer) -> None:
        super().__init__(limit)
        self._coalescer = coalescer
        # The parts that can still be merged into, by their tasks: no later part comes from the same task, a task around
        # it, or a task inside it.
        self._last: Dict[str, _WaitingPart] = {}

    @property
    def full(self) -> bool:
        """True if a part beyond the limit was added because it could neither be merged nor its producer blocked."""
        return self.parts > self.limit

    def append(self, item: Any) -> None:
        """Add an item, even beyond the limit."""
        if not isinstance(item, Part):
            self._items.append(item)
            return
        source = self._coalescer.source(item)
        for other in [other for other in self._last if other.startswith(source) or source.startswith(other)]:
            del self._last[other]
        self._last[source] = waiting = _WaitingPart(item, source)
        self._items.append(waiting)
        self.parts += 1

    def pop(self) -> Any:
        """Return the next item, merged parts as one."""
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
    """Return a queue for the consumer's overflow policy.

    Args:
        flow: The consumer's flow-control options; `max_buffer` is set.
        coalescer: Merges parts if the policy is `"coalesce"`.
    """
    assert flow.max_buffer is not None
    if flow.overflow == "drop_oldest":
        return DropOldestQueue(flow.max_buffer)
    if flow.overflow == "raise":
        return RaisingQueue(flow.max_buffer)
    return (
        CoalescingQueue(flow.max_buffer, coalescer) if flow.overflow == "coalesce" else OverflowQueue(flow.max_buffer)
    )
