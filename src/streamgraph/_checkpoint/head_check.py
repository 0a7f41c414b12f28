"""Finds out whether another process has continued a thread while a run was on it.

Savers cannot be locked, and what two runs store in turns is a fork: the later record is the thread's head, and what the
other run has stored is found only by its id. So a run looks at the head of its thread before it stores a record: when
its first nodes have run, before its last record, and whenever a step took so long that looking costs next to nothing
beside it. What another run has stored in between is not seen any more once this run has stored a record after it.
"""

from __future__ import annotations

from time import monotonic

_SHARE = 4
"""A step has to take so many times as long as reading the thread did, for the thread to be read again.

What it takes to store the step is not counted: another run stores more than that in the meantime, or nothing.
A whole run of another process takes longer: it reads the thread, and stores at least three records and a note.
"""


_USUAL = 3
"""Storing takes at most so many times as long as it did at best, if nothing else happens."""


class HeadCheck:
    """Says when a run shall look at the head of its thread.

    Args:
        loading: Seconds that it took to read the thread.
    """

    def __init__(self, loading: float) -> None:
        self._long = _SHARE * loading
        self._since = monotonic()
        self._looked = False
        self._storing = float("inf")

    def is_due(self, *, after_nodes: bool, last: bool) -> bool:
        """Return whether to look before the next record is stored; called once for each.

        Args:
            after_nodes: Nodes have run since the record before.
            last: Nothing is due after this record.
        """
        now = monotonic()
        due = now - self._since > self._long or (after_nodes and (last or not self._looked))
        self._looked = self._looked or after_nodes
        self._since = now
        return due

    def looked(self) -> None:
        """Take note that the thread was read, which may take longer the longer the thread is."""
        now = monotonic()
        self._long = _SHARE * (now - self._since)
        self._since = now

    def stored(self, began: float) -> None:
        """Take note that something was stored, which does not count, unless it took much longer than it can take.

        It has waited for what another process has stored then, or a step has run beside it.

        Args:
            began: When that began, by the clock `monotonic`.
        """
        took = monotonic() - began
        self._storing = min(self._storing, took)
        self._since += min(took, _USUAL * self._storing)
