"""Breakpoints: nodes before or after which a run pauses, as if it had ended there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import AbstractSet, FrozenSet

from streamgraph._core.frontier import Frontier


@dataclass(frozen=True)
class Breakpoints:
    """The breakpoints of a run.

    Attributes:
        before: The nodes before which it pauses.
        after: The nodes after which it pauses.
    """

    before: FrozenSet[str] = frozenset()
    after: FrozenSet[str] = frozenset()

    def stops(self, ran: AbstractSet[str], frontier: Frontier) -> bool:
        """Return whether the run pauses after a step.

        Args:
            ran: The nodes that ran in the step.
            frontier: What is due in the next one.
        """
        if not self.after.isdisjoint(ran):
            return True
        return not self.before.isdisjoint(frontier.due) or any(send.node in self.before for send in frontier.sends)
