"""What streams tell of themselves, if somebody measures them: what they drop, and what waits in them.

The drivers know nothing else of OpenTelemetry.
"""

from __future__ import annotations

from typing import Callable, Optional
from weakref import WeakSet

from typing_extensions import Literal, Protocol

Place = Literal["stream", "log"]
"""Where chunks wait: in a stream for its consumer, or in the log of a started run for a reader."""

Report = Callable[[Place, int], None]


class Measured(Protocol):
    """A queue whose length is measured."""

    place: Place

    def waiting(self) -> int:
        """Return how many chunks wait; from any thread."""


class StreamMeter:
    """What is known of the streams of the process."""

    def __init__(self) -> None:
        self._queues: Optional[WeakSet[Measured]] = None
        self._report: Optional[Report] = None

    def begin(self, report: Report) -> None:
        """Measure from now on.

        Args:
            report: Is called with the place and the number of chunks that were dropped.
        """
        self._report = report
        if self._queues is None:
            self._queues = WeakSet()

    def opened(self, queue: Measured) -> None:
        """Measure the length of a queue until it is collected or left."""
        if self._queues is not None:
            self._queues.add(queue)

    def left(self, queue: Measured) -> None:
        """Measure a queue no more."""
        if self._queues is not None:
            self._queues.discard(queue)

    def dropped(self, place: Place, count: int) -> None:
        """Note that chunks were dropped because nobody has taken them in time."""
        if self._report is not None:
            self._report(place, count)

    def waiting(self, place: Place) -> int:
        """Return how many chunks wait in all queues of a place."""
        queues = () if self._queues is None else tuple(self._queues)
        return sum(queue.waiting() for queue in queues if queue.place == place)


STREAMS = StreamMeter()
