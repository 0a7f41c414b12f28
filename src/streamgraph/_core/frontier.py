"""The frontier of a run: what is due in the next step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import AbstractSet, Dict, FrozenSet, Iterable, List, Sequence, Set, Tuple

from streamgraph._core.plan import Node, Plan
from streamgraph._core.results import Route
from streamgraph._types import Send


@dataclass
class Frontier:
    """The data of a run between two supersteps besides its state; plain data that could be saved.

    Attributes:
        step: The number of the last superstep.
        due: The nodes to run next.
        sends: The tasks to run next with an input of their own.
        joined: For each join in progress, by its trigger, the sources that have run. A complete join stays complete
            until its target runs, and absorbs further arrivals until then.
        deferred: The nodes that wait until nothing else is due.
    """

    step: int = 0
    due: Set[str] = field(default_factory=set)
    sends: Tuple[Send, ...] = ()
    joined: Dict[str, FrozenSet[str]] = field(default_factory=dict)
    deferred: Set[str] = field(default_factory=set)

    def copy(self) -> Frontier:
        """Return a copy that later steps do not change."""
        return Frontier(self.step, set(self.due), self.sends, dict(self.joined), set(self.deferred))

    def keep(self, left: Frontier) -> bool:
        """Add what stays due, and return whether nothing is due all the same."""
        self.due |= left.due
        self.sends = (*left.sends, *self.sends)
        return not self.due and not self.sends

    def advance(
        self,
        plan: Plan,
        finished: Sequence[Tuple[Node, Sequence[Route]]],
        ran: AbstractSet[str],
        updated: Iterable[str] = (),
    ) -> bool:
        """Compute what is due after a step; return whether nothing is, but for nodes that have waited for that.

        Args:
            plan: The graph.
            finished: The nodes that have finished, each with its routes.
            ran: The names of all nodes that ran, including those whose failure was handled; only used while a join is
                in progress.
            updated: The keys that were updated, if nodes are started by keys.
        """
        due: Set[str] = set()
        sends: List[Send] = []
        arriving: Dict[str, Set[str]] = {}
        if self.joined:
            self._reset_joins(plan, ran)
        for node, routes in finished:
            due.update(node.edges)
            for join in node.joins:
                arriving.setdefault(join.trigger, set()).add(node.name)
            for route in routes:
                if isinstance(route, Send):
                    sends.append(route)
                else:
                    due.add(route)
        for key in updated:
            due.update(plan.started_by.get(key, ()))
        for trigger, names in arriving.items():
            join = plan.joins[trigger]
            self.joined[trigger] = self.joined.get(trigger, frozenset()) | names
            if self.joined[trigger] == join.sources:
                due.add(join.target)
        if plan.deferred:
            waiting = due & plan.deferred
            due -= waiting
            self.deferred |= waiting
        nothing = not due and not sends
        if self.deferred and nothing:
            due, self.deferred = self.deferred, set()
        self.due = due
        self.sends = tuple(sends)
        return nothing

    def _reset_joins(self, plan: Plan, ran: AbstractSet[str]) -> None:
        """Reset the complete joins whose targets have just run."""
        for trigger, arrived in tuple(self.joined.items()):
            join = plan.joins[trigger]
            if arrived == join.sources and join.target in ran:
                del self.joined[trigger]
