"""When a reader collects what comes before it writes: only while the server cannot keep up."""

from __future__ import annotations

_BUSY = 0.002
"""Seconds from an event to its reading from which on the event loop is behind."""

_READINGS = 3
"""After how many such readings, one after the other, a reader collects. The system may keep a loop that has nothing to
do from its processor for a moment, which is no reason.
"""

_TURNS = 4
"""For how many turns of a busy loop a reader collects. Five times fewer writes cost a fifth; more saves little."""

_LONGEST = 0.05
"""The most seconds for which it collects."""

_IDLE = 0.0005
"""Seconds that a wait may last longer than it should where the loop has time."""

_LESS = 0.75
"""By how much a reader waits less each time where the loop has time."""

_SHORTEST = 0.001
"""Seconds for which collecting is not worth while."""


class Pace:
    """Says how long one reader waits after a write, so that what comes meanwhile is one write.

    Each write has a price that does not depend on its length. A loop with more tokens to write than it can would spend
    its time on writes of one token each, and fall behind further. So a reader whose events come faster than the loop
    takes them lets some turns of the loop pass. Where the loop has time, it never waits: a token is not held back for
    one that may come.
    """

    __slots__ = ("_late", "_written", "seconds")

    def __init__(self) -> None:
        self._late = 0
        self._written = 0.0
        self.seconds = 0.0

    def after(self, delay: float, now: float) -> float:
        """Return how long to wait before the next reading.

        Args:
            delay: Seconds from the event that has ended the wait to its reading; 0 if there was something to read.
            now: The time of the reading that has just been written, in seconds.
        """
        turn, self._written = now - self._written, now
        if delay:
            # The event came soon after the last write: there is one in nearly each turn of the loop.
            is_dense = turn < 5 * delay
            self._late = self._late + 1 if delay > _BUSY and is_dense else 0
            self.seconds = min(_TURNS * turn, _LONGEST) if self._late >= _READINGS else 0.0
        return self.seconds

    def woke(self, late: float) -> None:
        """Take note of how late the loop was after a wait: where it has time again, the reader waits less.

        Args:
            late: Seconds from the end of the wait until the reader went on.
        """
        if late < _IDLE:
            self.seconds = self.seconds * _LESS if self.seconds > _SHORTEST else 0.0
