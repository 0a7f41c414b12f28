"""A clock of time limits in the hands of a test: a busy machine can neither exceed a limit too early nor miss it."""

from __future__ import annotations

from threading import Lock

import pytest

WATCHED = ("streamgraph._drivers.clock.monotonic", "streamgraph._execution.session.monotonic")
"""Where time limits and heartbeats read the time."""


class LimitClock:
    """What time limits and heartbeats take for the time, in seconds: it stands still until a test moves it.

    What waits for a limit looks at it as often as if it ran: after the seconds that are left by it.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._moving = Lock()

    def __call__(self) -> float:
        """Return the time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let so much time pass, and a nanosecond: sums of fractions are not exact."""
        with self._moving:
            self._now += seconds + 1e-9


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> LimitClock:
    """The clock of all time limits and heartbeats in this test."""
    clock = LimitClock()
    for place in WATCHED:
        monkeypatch.setattr(place, clock)
    return clock
