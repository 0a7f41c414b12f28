"""The log in memory: numbers, limits by count, bytes and age, and what its readers find meanwhile."""

from __future__ import annotations

import threading
import time
from typing import Any, List

import pytest

from streamgraph._drivers import memory_log
from streamgraph._drivers.memory_log import MemoryLog
from streamgraph._streams.event_log import BATCH, event_id, number_of
from streamgraph._streams.part import Part
from streamgraph.errors import UnknownEventError, UnknownOptionError


def part(data: object) -> Part:
    """A part of a node."""
    return Part((), "custom", data, "node")


def filled(count: int, **limits: Any) -> MemoryLog:
    """A log that has taken so many numbers."""
    log = MemoryLog(**limits)
    for number in range(1, count + 1):
        assert log.append(part(number)) == number
    return log


def read_all(log: MemoryLog, after: int = 0) -> List[Any]:
    """What a reader finds from there: numbers of events with their data, which are the same."""
    found: List[Any] = []
    while True:
        first, items = log.read(after)
        if not items:
            return found
        found += [(first + index, item.data) for index, item in enumerate(items)]
        after = first + len(items) - 1


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
@pytest.mark.parametrize("after", [0, 1, BATCH - 1, BATCH, 2 * BATCH])
def test_everything_is_found_from_everywhere(count: int, after: int) -> None:
    """Numbers are contiguous, across the segments in which they are kept."""
    assert read_all(filled(count), after) == [(number, number) for number in range(after + 1, count + 1)]


@pytest.mark.parametrize("limit", [1, 10, BATCH, 2 * BATCH + 3])
def test_count(limit: int) -> None:
    """The newest are kept."""
    log = filled(5 * BATCH, max_events=limit)
    assert read_all(log) == [(number, number) for number in range(5 * BATCH - limit + 1, 5 * BATCH + 1)]
    assert log.oldest == 5 * BATCH - limit + 1


def test_bytes() -> None:
    """As many as fit, but the newest one always; what a state shares with others is not counted again."""
    log = MemoryLog(max_bytes=10_000)
    for number in range(1, 101):
        log.append(part("x" * 1000))
        assert log.bytes <= 10_000
    assert log.last - log.oldest + 1 == len(read_all(log)) < 10
    log.append(part("x" * 100_000))
    assert [number for number, _ in read_all(log)] == [101]
    shared = ["y" * 1000] * 10
    log = MemoryLog()
    log.append(Part((), "values", {"messages": shared}))
    assert log.bytes < 1000


def test_age(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old events go at the next event or reading; then nothing may be left."""
    now = [100.0]
    monkeypatch.setattr(memory_log, "monotonic", lambda: now[0])
    log = filled(10, max_age=5)
    now[0] += 4
    log.append(part(11))
    assert len(read_all(log)) == 11
    now[0] += 2
    assert read_all(log) == [(11, 11)]
    now[0] += 10
    assert read_all(log) == []
    first, items = log.read(0)
    assert (first, list(items)) == (12, [])
    log.append(part(12))
    assert read_all(log) == [(12, 12)]


@pytest.mark.parametrize("limits", [{"max_events": 0}, {"max_events": True}, {"max_bytes": -1}, {"max_age": 0}])
def test_limits_that_make_no_sense(limits: Any) -> None:
    """They are refused at once."""
    with pytest.raises(UnknownOptionError, match=next(iter(limits))):
        MemoryLog(**limits)


def test_reading_while_old_events_go() -> None:
    """A reader in another thread sees numbers that rise, each with its own data, or `None` for what has just gone."""
    log = MemoryLog(max_events=2 * BATCH)
    faults: List[Any] = []
    over = threading.Event()

    def read() -> None:
        after = 0
        while not (over.is_set() and after >= log.last):
            first, items = log.read(after)
            if first <= after:
                faults.append((first, after))
            for index, item in enumerate(items):
                if item is not None and item.data != first + index:
                    faults.append((first, index, item.data))
            after = max(after, first - 1 + len(items))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(1, 20_000):
        log.append(part(number))
    over.set()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert faults == []


def test_ids() -> None:
    """They name attempt and number; what is no id of this run says what it is."""
    assert event_id(2, 17) == "2-17"
    assert [number_of(given, 2, 20) for given in (None, "2-0", "2-17", "2-20")] == [0, 0, 17, 20]
    for wrong, why in (
        ("2-21", "last event so far"),
        ("1-3", "attempt 1"),
        ("17", "Ids are texts"),
        ("2-x", "Ids are texts"),
        ("-1", "Ids are texts"),
        (17, "Ids are texts"),
        ("", "Ids are texts"),
    ):
        with pytest.raises(UnknownEventError, match=why):
            number_of(wrong, 2, 20)


def test_times() -> None:
    """A log that is told to knows when each event was added, across segments; others do not."""
    log, before = MemoryLog(timed=True, max_events=2 * BATCH), time.time()
    for number in range(3 * BATCH + 1):
        log.append(part(number))
    found = [log.time_of(number) for number in range(2 * BATCH + 2, log.last + 1)]
    assert all(at is not None and before - 1 < at < time.time() + 1 for at in found)
    assert found == sorted(found, key=float)  # type: ignore[arg-type]
    assert log.time_of(1) is None and log.time_of(log.last + 1) is None
    assert filled(1).time_of(1) is None
