"""The log of a run that another process drives, against a server that drops old events at any moment."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgraph.runs import Part, RunEnd, RunFacts
from streamgraph.serialization import PartDecoder, PartEncoder
from streamgraph_integrations.redis_events._entries import Entries, end_entry, event_entry
from streamgraph_integrations.redis_events._reading import PAGE, RedisSharedLog

FACTS = RunFacts("run", (), ("custom",), ())


class Stored:
    """What the server has, and what was asked of it."""

    def __init__(self) -> None:
        self._encoder = PartEncoder(exact=True)
        self.entries: Dict[int, Tuple[bytes, bytes]] = {}
        self.newest = 0
        self.asked: List[int] = []

    def add(self, count: int) -> None:
        """Store so many events, each of which is its number."""
        for _ in range(count):
            self.newest += 1
            self.entries[self.newest] = event_entry(self._encoder, Part((), "custom", self.newest))

    def end(self) -> None:
        """Store the end."""
        self.entries[self.newest + 1] = end_entry(self._encoder, "done", RunEnd())

    def drop(self, count: int) -> None:
        """Drop the oldest ones, but not the newest."""
        for number in sorted(self.entries)[: min(count, len(self.entries) - 1)]:
            del self.entries[number]

    def range(self, after: int, count: int) -> Entries:
        """Return so many entries."""
        numbers = [number for number in sorted(self.entries) if number > after][:count]
        return [(f"1-{number}".encode(), dict([self.entries[number]])) for number in numbers]

    def fetch(self, log: RedisSharedLog, after: int) -> None:
        """Take note of what a reader lacks."""
        self.asked.append(after)

    def signal(self, log: RedisSharedLog, kind: str) -> None:
        """Nothing is told here."""

    def request(self, log: RedisSharedLog, kind: str, details: Sequence[object]) -> object:
        """Nothing is asked here."""

    async def arequest(self, log: RedisSharedLog, kind: str, details: Sequence[object]) -> object:
        """Nothing is asked here."""


class Reader:
    """Reads a log, as far as it can."""

    def __init__(self, log: RedisSharedLog, after: int) -> None:
        self._log = log
        self.seen = after

    def read(self, stored: Stored) -> None:
        """Read on; each event is the one that follows, and what is missing has gone."""
        while True:
            first, items = self._log.read(self.seen)
            if first > self.seen + 1:
                assert all(number not in stored.entries for number in range(self.seen + 1, first))
                self.seen = first - 1
            elif not items:
                return
            else:
                for item in items:
                    self.seen += 1
                    assert item.data == self.seen


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "drop", "follow", "page", "page", "read", "come"]), st.integers(1, 2 * PAGE)
    ),
    max_size=60,
)


@given(steps=STEPS, begin=st.integers(0, 3 * PAGE))
def test_every_event_is_read_in_order_or_has_gone(steps: List[Tuple[str, int]], begin: int) -> None:
    stored = Stored()
    stored.add(begin)
    log = RedisSharedLog(FACTS, 1, begin, stored, PartDecoder(), max_pages=2)
    readers: List[Reader] = []
    steps = [*steps, ("end", 0)]
    for step, number in steps:
        if step == "add":
            stored.add(number)
        elif step == "drop":
            stored.drop(number)
        elif step == "follow":
            log.add_new(stored.range(log.following, number))
        elif step == "page" and stored.asked:
            after = stored.asked.pop(0)
            log.add_page(after, stored.range(after, PAGE - after % PAGE))
        elif step == "come":
            readers.append(Reader(log, min(number, log.last)))
        elif step == "read":
            for reader in readers:
                reader.read(stored)
    stored.end()
    _end(log, stored, readers)


def _end(log: RedisSharedLog, stored: Stored, readers: List[Reader]) -> None:
    """Let all be fetched; each reader comes to the end, however little is kept in memory."""
    while log.end is None:
        log.add_new(stored.range(log.following, 1024))
    assert log.last == stored.newest
    for reader in readers:
        for _ in range(200):
            reader.read(stored)
            if reader.seen == log.last:
                break
            assert stored.asked, f"a reader waits for nothing after {reader.seen} of {log.last}"
            after = stored.asked.pop(0)
            log.add_page(after, stored.range(after, PAGE - after % PAGE))
        assert reader.seen == log.last


@pytest.mark.parametrize("kept", [1, 30, PAGE, PAGE + 1])
def test_what_was_dropped_within_a_page_that_is_known_in_part(kept: int) -> None:
    """A reader that is in the middle of the page gets what there is, and a gap for what there is not."""
    stored = Stored()
    log: Any = RedisSharedLog(FACTS, 1, 0, stored, PartDecoder(), max_pages=8)
    stored.add(20)
    log.add_new(stored.range(0, 1024))
    stored.add(PAGE)
    stored.drop(20 + PAGE - kept)
    log.add_new(stored.range(20, 1024))
    reader = Reader(log, 10)
    reader.read(stored)
    assert reader.seen == 20 + PAGE
