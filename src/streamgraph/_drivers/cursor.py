"""Where a reader is in the log of a run, and what it gets from there."""

from __future__ import annotations

from typing import Any, Callable, Dict, Hashable, List, Optional, Tuple

from streamgraph._drivers.overflow import DropOldestQueue, OverflowQueue, RaisingQueue
from streamgraph._drivers.readable_run import ENDED, ReadableRun
from streamgraph._drivers.recorder import Lag
from streamgraph._protocols import Batch, Coalescer
from streamgraph._signals import Gap
from streamgraph._streams.event_log import event_id
from streamgraph._streams.flow import FlowControl
from streamgraph._streams.formats import data_of
from streamgraph._streams.part import Part
from streamgraph._telemetry.streams import STREAMS, Place
from streamgraph.errors import StreamOverflowError

Shape = Callable[[Part], object]
TokenMaker = Callable[[Any], Optional[Callable[[str], object]]]
Found = List[Tuple[int, Any]]
"""Chunks with the numbers of their events; of a merged chunk, that of its last event."""

_OPENERS = 256
"""The most groups of a codec whose opener a reader keeps."""


class _Numbered(Part):
    """A part that waits in an overflow queue, with its number."""

    __slots__ = ("number",)

    def __init__(self, part: Part, number: int) -> None:
        super().__init__(part.ns, part.mode, part.data, part.source, part.key)
        self.number = number


def _itself(part: Part) -> Part:
    return part


class Cursor:
    """The place of one reader in the log of a run.

    What is in the log when the reader comes, it gets all of, however slow it is; the limit of its flow control is for
    what comes later.

    Args:
        run: The run.
        after: The number of the event after which the reader begins.
        wants: Returns True if the reader wants a part.
        shape: Makes a chunk of a part.
        flow: What the reader asked for.
        coalescer: Merges parts.

    Attributes:
        over: The run has ended, and there is nothing left to read.
    """

    place: Place = "log"

    def __init__(
        self,
        run: ReadableRun,
        *,
        after: int,
        wants: Callable[[Part], bool],
        shape: Shape,
        flow: FlowControl,
        coalescer: Coalescer,
    ) -> None:
        self.over = False
        self._run = run
        self._log = run.log
        self._seen = after
        self._wants = wants
        self._shape = shape
        self._openers: Dict[Hashable, Optional[Callable[[str], object]]] = {}
        self._tokens: Optional[TokenMaker] = None
        self._lag: Optional[Lag] = None
        self._queue: Optional[OverflowQueue] = None
        self._overflow: Optional[StreamOverflowError] = None
        self._coalescer: Optional[Coalescer] = None
        self._limit = flow.max_buffer or 0
        self._live_from = run.log.last + 1
        self._taken = after
        if flow.max_buffer is not None:
            if flow.overflow == "drop_oldest":
                self._queue = DropOldestQueue(flow.max_buffer)
            elif flow.overflow == "raise":
                self._queue = RaisingQueue(flow.max_buffer)
            elif flow.overflow == "coalesce":
                self._coalescer = coalescer
            else:
                self._lag = run.hold(flow.max_buffer, wants)
                self._live_from = self._lag.since + 1
        # Chunks that wait here, or are merged, are shaped when they are taken.
        self._shape_read: Shape = shape if self._queue is None and self._coalescer is None else _itself
        STREAMS.opened(self)

    def make_tokens(self, maker: TokenMaker) -> None:
        """Let chunks of tokens be made of their texts; see `AsyncRunReader.make_tokens`."""
        self._tokens = maker
        self._openers.clear()

    def leave(self) -> None:
        """Let the run go on without the reader."""
        STREAMS.left(self)
        lag, self._lag = self._lag, None
        if lag is not None:
            self._run.release(lag)

    def waiting(self) -> int:
        """Return how many events of the log the reader has not looked at."""
        return max(self._log.last - self._seen, 0)

    @property
    def holds(self) -> bool:
        """True if the run waits for the reader."""
        return self._lag is not None

    @property
    def waits(self) -> bool:
        """True if there is nothing to read at the moment, and something is still to come."""
        log, seen = self._log, self._seen
        if seen == log.last:
            return log.status not in ENDED
        # A log that is kept elsewhere may know of events that it has not fetched yet.
        first, items = log.read(seen)
        return not items and first == seen + 1

    def fetch(self) -> Found:
        """Return the next chunks, at most a batch; none if the reader has to wait, or at the end of the run.

        Raises:
            StreamOverflowError: More chunks wait than the reader allows.
        """
        if self._queue is None and self.waits:
            return []
        while True:
            ended = self._log.status in ENDED
            before = self._seen
            is_live = before >= self._live_from - 1
            if self._queue is not None:
                found = self._from_queue(self._queue) if is_live else self._shaped(self._read())
            elif self._coalescer is not None:
                found = self._shaped(self._merged(self._coalescer) if is_live else self._read())
            else:
                found = self._read()
            if found:
                return found
            if self._seen == before:
                self.over = ended and before == self._log.last
                return found

    def _read(self) -> Found:
        """Return the chunks of a batch of events; none if there is no event or the reader wants none of these."""
        number = self._seen
        first, items = self._log.read(number)
        if first > number + 1:
            return self._gap(number + 1, first - 1)
        openers, wants, codec, history = self._openers, self._wants, self._log.codec, self._live_from - 1
        shape = self._shape_read
        lag = self._lag if number >= history else None
        found: Found = []
        for item in items:
            if type(item) is tuple:
                group, text = item
                try:
                    opener = openers[group] if group in openers else self._opener(group)
                except KeyError:  # the event has just gone, and the next reading says so
                    break
                number += 1
                if opener is None:
                    continue
                found.append((number, opener(text)))
            elif item is None:
                break
            else:
                number += 1
                if not wants(item):
                    continue
                if codec is None:
                    found.append((number, shape(item)))
                elif shape is data_of:
                    found.append((number, codec.payload(item)))
                else:
                    own = Part(item.ns, item.mode, codec.payload(item), item.source, item.key)
                    found.append((number, shape(own)))
            if lag is not None:  # the events after it are still to come for this reader
                lag.took(number)
                break
            if number == history:
                break
        self._seen = number
        return found

    def _opener(self, group: Hashable) -> Optional[Callable[[str], object]]:
        codec = self._log.codec
        assert codec is not None
        if len(self._openers) == _OPENERS:
            self._openers.clear()
        sample, opener, shape = codec.sample(group), None, self._shape_read
        if self._wants(sample):
            if self._tokens is not None and shape is not _itself:
                opener = self._tokens(shape(sample))
            opener = opener or codec.opener(group, shape)
        self._openers[group] = opener
        return opener

    def _gap(self, first: int, last: int) -> Found:
        """Return the chunk that says which events have gone."""
        self._seen = last
        STREAMS.dropped("log", last - first + 1)
        attempt = self._log.attempt
        gap = Gap(last - first + 1, {}, event_id(attempt, first), event_id(attempt, last))
        return [(last, self._shape_read(Part(self._run.ns, "gap", gap)))]

    def _shaped(self, found: Found) -> Found:
        return [(number, self._shape(part)) for number, part in found]

    def _from_queue(self, queue: OverflowQueue) -> Found:
        """Move all that has come meanwhile to the queue, and return its next part.

        Raises:
            StreamOverflowError: It has taken more than fits, and what fits has been returned.
        """
        before = -1
        while self._overflow is None and self._seen != before:
            before = self._seen
            for number, part in self._read():
                try:
                    queue.offer(_Numbered(part, number))
                except StreamOverflowError as error:
                    self._overflow = error
                    break
        part = queue.pop()
        if part is None:
            if self._overflow is not None:
                raise self._overflow
            return []
        if type(part) is _Numbered:
            self._taken = part.number
        return [(self._taken, self._shape(part))]

    def _merged(self, coalescer: Coalescer) -> Found:
        """Return the next parts; if more wait than the reader allows, consecutive tokens of a message are one."""
        is_late = self._log.last - self._seen > self._limit
        found = self._read()
        if not is_late:
            return found
        merged: Found = []
        batch: Optional[Batch] = None
        for number, part in found:
            if batch is not None and part.mode == merged[-1][1].mode and batch.add(part.data):
                merged[-1] = (number, merged[-1][1])
                continue
            _close(batch, merged)
            batch = coalescer.batch(part)
            merged.append((number, part))
        _close(batch, merged)
        return merged


def _close(batch: Optional[Batch], merged: Found) -> None:
    """Replace the last part by the sum of its batch, if it has one."""
    if batch is not None:
        number, part = merged[-1]
        merged[-1] = (number, Part(part.ns, part.mode, batch.sum(), part.source, part.key))
