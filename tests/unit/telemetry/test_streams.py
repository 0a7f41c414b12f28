"""What streams tell of themselves."""

from __future__ import annotations

import gc
from typing import Any, List

from streamgraph._telemetry.streams import StreamMeter


class Queue:
    """A queue of a length."""

    def __init__(self, place: Any, length: int) -> None:
        self.place = place
        self.length = length

    def waiting(self) -> int:
        return self.length


def test_nothing_is_kept_before_somebody_measures() -> None:
    meter, queue = StreamMeter(), Queue("log", 3)
    meter.opened(queue)
    meter.dropped("log", 3)
    meter.left(queue)
    assert meter.waiting("log") == 0


def test_queues_are_measured_by_place_until_they_are_left_or_collected() -> None:
    meter, told = StreamMeter(), []  # type: ignore[var-annotated]
    meter.begin(lambda place, count: told.append((place, count)))
    queues: List[Queue] = [Queue("log", 3), Queue("log", 4), Queue("stream", 5)]
    for queue in queues:
        meter.opened(queue)
    meter.dropped("stream", 2)
    assert (meter.waiting("log"), meter.waiting("stream"), told) == (7, 5, [("stream", 2)])

    meter.left(queues[0])
    assert meter.waiting("log") == 4
    meter.begin(lambda place, count: None)  # another provider; the queues are the same
    assert meter.waiting("log") == 4
    del queues[1], queue
    gc.collect()
    assert meter.waiting("log") == 0
