"""What many threads, and finalizers, give to a recorder is in the log once, and in order."""

from __future__ import annotations

import threading
from typing import Any, List

from streamgraph._drivers.memory_log import MemoryLog
from streamgraph._drivers.reader_capacity import ReaderCapacity
from streamgraph._drivers.recorder import Recorder
from streamgraph._streams.event_log import RunEnd
from streamgraph._streams.part import Part


def part(data: object) -> Part:
    """A part of a node."""
    return Part((), "custom", data, "node")


def recorder(log: MemoryLog) -> Recorder:
    """A recorder whose log does not fail."""
    return Recorder(log, lambda error: None)


def data(log: MemoryLog) -> List[Any]:
    """All that is in a log."""
    found: List[Any] = []
    while len(found) < log.last:
        found += [item.data for item in log.read(len(found)).items]
    return found


def test_many_threads() -> None:
    """Each thread's parts stay in order, and none is lost or left behind."""
    log = MemoryLog()
    put = recorder(log).put
    size, begin = 2000, threading.Barrier(4)

    def give(name: int) -> None:
        begin.wait()
        for number in range(size):
            put(part((name, number)))

    threads = [threading.Thread(target=give, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = data(log)
    assert len(found) == 4 * size
    for name in range(4):
        assert [number for of, number in found if of == name] == list(range(size))


def test_a_part_that_is_given_while_one_is_written() -> None:
    """A finalizer, or a listener, may give one in the middle of the writing: it comes behind."""
    log = MemoryLog()
    put = recorder(log).put
    log.on_change(lambda: put(part(log.last)) if log.last < 5 else None)
    put(part(0))
    assert data(log) == [0, 1, 2, 3, 4]


def test_nothing_after_the_end() -> None:
    """What a thread emits that outlives its run is dropped, and nobody waits for it."""
    log = MemoryLog()
    recording = recorder(log)
    recording.put(part(1))
    recording.close("done", RunEnd())
    recording.put(part(2))
    assert (data(log), log.status) == ([1], "done")
    lag = ReaderCapacity(recording, recording.put).join(1, lambda part: True)
    assert lag.since == 1


def test_the_end_comes_although_somebody_writes_for_ever() -> None:
    """A log that hangs in one thread does not keep the run from ending."""
    go_on, hangs = threading.Event(), threading.Event()

    class Hanging(MemoryLog):
        def append(self, part: Part) -> int:
            hangs.set()
            go_on.wait()
            return super().append(part)

    log = Hanging()
    recording = recorder(log)
    writing = threading.Thread(target=recording.put, args=(part(1),))
    writing.start()
    hangs.wait()
    recording.close("cancelled", RunEnd())
    assert log.status == "cancelled"
    go_on.set()
    writing.join()


def test_readers_that_hold_back_are_forgotten_when_they_have_left() -> None:
    """A run that was held back once does not pay for it for ever."""
    recording = recorder(MemoryLog())
    capacity = ReaderCapacity(recording, recording.put)
    for _ in range(100):
        capacity.leave(capacity.join(1, lambda part: True))
    assert len(recording.lags) == 1
    recording.put(part(1))
    assert recording.lags == ()
    assert not capacity.full
