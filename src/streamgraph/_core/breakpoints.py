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

    def stops(self, ran: AbstractSet[str], frontier: Frontier) -> str:
        """Return where the run pauses after a step: `"interrupt_after"`, `"interrupt_before"`, or `""` for nowhere.

        Args:
            ran: The nodes that ran in the step.
            frontier: What is due in the next one.
        """
        if not self.after.isdisjoint(ran):
            return "interrupt_after"
        before = self.before
        stops = not before.isdisjoint(frontier.due) or any(send.node in before for send in frontier.sends)
        return "interrupt_before" if stops else ""
