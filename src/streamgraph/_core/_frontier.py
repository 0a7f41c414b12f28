"""What is to run next, and how it follows from what has run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, FrozenSet, Iterable, List, Tuple

from streamgraph._core._plan import Node, Plan
from streamgraph._core._returns import Route
from streamgraph.types import Send

Triggers = Tuple[str, ...]


@dataclass
class Frontier:
    """What a run knows between two supersteps, besides the state's values: plain data that could be saved.

    Attributes:
        step: The number of the last superstep.
        due: The nodes to run next, with what triggered them.
        sends: The tasks to run next with an input of their own.
        joined: For each join in progress, by its trigger, the sources that have run.
        deferred: The nodes that wait until nothing else is due.
    """

    step: int = 0
    due: Dict[str, Triggers] = field(default_factory=dict)
    sends: Tuple[Send, ...] = ()
    joined: Dict[str, FrozenSet[str]] = field(default_factory=dict)
    deferred: Dict[str, Triggers] = field(default_factory=dict)

    def advance(self, plan: Plan, finished: Iterable[Tuple[Node, Tuple[Route, ...]]]) -> None:
        """Find what is due after these nodes, which sent the run on these routes."""
        due: Dict[str, Triggers] = {}
        sends: List[Send] = []
        for node, routes in finished:
            for target in node.edges:
                _trigger(due, target, f"branch:to:{target}")
            for join in node.joins:
                arrived = self.joined.pop(join.trigger, frozenset()) | {node.name}
                if arrived == join.sources:
                    _trigger(due, join.target, join.trigger)
                else:
                    self.joined[join.trigger] = arrived
            for route in routes:
                if isinstance(route, Send):
                    sends.append(route)
                else:
                    _trigger(due, route, f"branch:to:{route}")
        for name in [name for name in due if plan.nodes[name].defer]:
            for trigger in due.pop(name):
                _trigger(self.deferred, name, trigger)
        if self.deferred and not due and not sends:
            due, self.deferred = self.deferred, {}
        self.due = due
        self.sends = tuple(sends)


def _trigger(due: Dict[str, Triggers], target: str, trigger: str) -> None:
    before = due.get(target)
    if before is None:
        due[target] = (trigger,)
    elif trigger not in before:
        due[target] = tuple(sorted((*before, trigger)))
