"""The event log of a run in the memory of its process."""

from __future__ import annotations

import threading
from array import array
from math import inf
from time import monotonic, time
from typing import Any, Callable, Dict, List, Optional

from streamgraph._policies import Seconds, check_seconds
from streamgraph._streams.event_log import BATCH, Codec, Events, RunEnd, RunFacts, RunStatus, own_size
from streamgraph._streams.part import Part
from streamgraph.errors import UnknownOptionError

_PAIR = 110
"""The bytes that a pair of a codec takes besides its text."""


class _Segment:
    """Some consecutive events, with the bytes that each takes and, where it is kept, the time of each."""

    __slots__ = ("items", "sizes", "times")

    def __init__(self) -> None:
        self.items: List[Any] = []
        self.sizes = array("q")
        self.times = array("d")


class MemoryLog:
    """The events of one run, in memory, within limits; the oldest events make room for new ones.

    Args:
        max_events: The most events that are kept; `None` for no limit.
        max_bytes: About how many bytes of memory they may take; `None` for no limit.
        max_age: Seconds or a `timedelta` after which an event is dropped, at the next event or reading; `None` for
            no limit.
        attempt: The number of the attempt to run, which is in the ids of the events.
        timed: Whether the time of each event is kept, for `time_of`.

    Raises:
        UnknownOptionError: A limit is not greater than 0.
    """

    def __init__(
        self,
        *,
        max_events: Optional[int] = 100_000,
        max_bytes: Optional[int] = 64 * 1024 * 1024,
        max_age: Optional[Seconds] = None,
        attempt: int = 1,
        timed: bool = False,
    ) -> None:
        self.attempt = attempt
        self.codec: Optional[Codec] = None
        self.run_id: Optional[str] = None
        self.max_unstored: Optional[int] = None
        self.status: RunStatus = "pending"
        self.last = 0
        self.oldest = 1
        """The number of the oldest event that is kept, or will be."""
        self.bytes = 0
        """About how many bytes the events take."""
        self._max_events = _checked("max_events", max_events)
        self._max_bytes = _checked("max_bytes", max_bytes)
        self._max_age = check_seconds("max_age", max_age)
        self._timed = timed or self._max_age is not None
        self._epoch = time() - monotonic()
        # By number // BATCH, so that readers in other threads find an event by one look-up, whatever is dropped
        # meanwhile.
        self._segments: Dict[int, _Segment] = {}
        self._newest = _Segment()
        # Held while old events are dropped; never waited for.
        self._dropping = threading.Lock()
        self._listeners: List[Callable[[], None]] = []
        self._signal_listeners: List[Callable[..., object]] = []

    def begin(self, facts: RunFacts) -> None:
        """Record that the run has begun."""
        self.status = "running"

    def append(self, part: Part) -> int:
        """Add an event, and return its number."""
        before = self.last
        number = before + 1
        if not before % BATCH:
            self._newest = self._segments[before // BATCH] = _Segment()
        codec, segment = self.codec, self._newest
        pair = None if type(part) is Part or codec is None else codec.pack(part, number)
        size = own_size(part) if pair is None else _PAIR + len(pair[1])
        segment.sizes.append(size)
        if self._timed:
            segment.times.append(monotonic())
        segment.items.append(part if pair is None else pair)
        self.bytes += size
        self.last = number
        if self.bytes > self._max_bytes or number - self.oldest >= self._max_events or self._max_age is not None:
            self._drop_old()
        for listener in self._listeners:
            listener()
        return number

    def read(self, after: int) -> Events:
        """Return events that follow the one with this number: at most `BATCH`, and those that are at hand."""
        if self._max_age is not None:
            self._drop_old()
        while after < self.last:
            after = max(after, self.oldest - 1)
            place, offset = divmod(after, BATCH)
            segment = self._segments.get(place)
            if segment is not None:
                return Events(after + 1, segment.items[offset:])
            if after >= self.last:
                break
        return Events(after + 1, ())

    def time_of(self, number: int) -> Optional[float]:
        """Return when the event with this number was added, in seconds since 1970; `None` if that is not kept."""
        place, offset = divmod(number - 1, BATCH)
        segment = self._segments.get(place)
        if segment is None or offset >= len(segment.times):
            return None
        return self._epoch + segment.times[offset]

    def close(self, status: RunStatus, end: RunEnd) -> None:
        """Record how the run has ended."""
        self.status = status
        for listener in self._listeners:
            listener()
        self._listeners = []
        self._signal_listeners = []

    def signal(self, kind: str) -> None:
        """Tell the run something; `"cancel"` ends it."""
        for listener in tuple(self._signal_listeners):
            listener(kind)

    def on_signal(self, listener: Callable[..., object]) -> None:
        """Call `listener` with each signal."""
        self._signal_listeners.append(listener)

    def on_stored(self, listener: Callable[[int], None]) -> None:
        """Do nothing: an event is stored at once."""

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each event that was added, and after the end."""
        self._listeners.append(listener)

    def _drop_old(self) -> None:
        if not self._dropping.acquire(blocking=False):
            return  # another thread does it
        try:
            first = self.oldest
            while self.oldest <= self.last and self._exceeds():
                self._drop_oldest()
            if self.codec is not None and first // BATCH != self.oldest // BATCH:
                self.codec.forget(self.oldest)
        finally:
            self._dropping.release()

    def _exceeds(self) -> bool:
        """Return whether the oldest event has to go."""
        oldest = self.oldest
        if self.last - oldest >= self._max_events or (self.bytes > self._max_bytes and oldest < self.last):
            return True
        if self._max_age is None:
            return False
        place, offset = divmod(oldest - 1, BATCH)
        return self._segments[place].times[offset] < monotonic() - self._max_age

    def _drop_oldest(self) -> None:
        place, offset = divmod(self.oldest - 1, BATCH)
        segment = self._segments[place]
        self.oldest += 1
        segment.items[offset] = None
        self.bytes -= segment.sizes[offset]
        if offset == BATCH - 1:
            del self._segments[place]


def _checked(name: str, given: Optional[int]) -> float:
    """Return a limit, which is infinite if none is given."""
    if given is None:
        return inf
    if isinstance(given, int) and not isinstance(given, bool) and given > 0:
        return given
    raise UnknownOptionError(f"{name} must be a number greater than 0 or None, got {given!r:.80}")
