"""The stored form of a record: the channels of LangGraph's checkpoints, with nothing but what is alive.

LangGraph stores the state and what is due in channels: a state key under its own name, a due node as
`branch:to:<node>`, the sources of a join that have run under the join's name, and `Send`s under `__pregel_tasks`.
It reads channels that are absent as empty, so a record of 100 nodes of which one is due has one such entry.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, Mapping, Sequence, Set, Tuple

from streamgraph._core.frontier import Frontier
from streamgraph._core.plan import BARE_KEYS, Join, Node, Plan
from streamgraph._core.record import UNSET
from streamgraph._core.results import Route, TaskResult
from streamgraph._types import Send

START_CHANNEL = "__start__"
SENDS = "__pregel_tasks"
NO_WRITES = "__no_writes__"
BRANCH = "branch:to:"


def to_channels(
    plan: Plan, values: Mapping[str, object], frontier: Frontier, given: object = UNSET
) -> Dict[str, object]:
    """Return the channels of a record.

    Args:
        plan: The graph.
        values: The state's values.
        frontier: What is due.
        given: The input that is to be applied; `UNSET` if there is none.
    """
    channels: Dict[str, object] = dict(values)
    if given is not UNSET:
        channels[START_CHANNEL] = given
    complete: Set[str] = set()
    for trigger, arrived in frontier.joined.items():
        join = plan.joins[trigger]
        released = arrived == join.sources and join.target in frontier.due
        if arrived == join.sources:
            complete.add(join.target)
        channels[trigger] = (set(arrived), released) if plan.nodes[join.target].defer else set(arrived)
    for name in (frontier.due | frontier.deferred) - complete:
        channels[BRANCH + name] = (None, name in frontier.due) if plan.nodes[name].defer else None
    if frontier.sends:
        channels[SENDS] = list(frontier.sends)
    return channels


def from_channels(
    plan: Plan, channels: Mapping[str, object], step: int
) -> Tuple[Dict[str, object], Frontier, Dict[str, object]]:
    """Return the values, the frontier, and the channels of which the graph knows nothing.

    Args:
        plan: The graph.
        channels: The channels of a checkpoint.
        step: The number of its step.
    """
    values: Dict[str, object] = {}
    others: Dict[str, object] = {}
    frontier = Frontier(step)
    for name, value in channels.items():
        if name in plan.channels:
            values[name] = value
        elif name in plan.joins:
            _read_join(plan, plan.joins[name], value, frontier)
        elif name == SENDS:
            frontier.sends = tuple(_sends(value))
        elif name.startswith(BRANCH) and name[len(BRANCH) :] in plan.nodes:
            node = plan.nodes[name[len(BRANCH) :]]
            (frontier.due if not node.defer or _released(value) else frontier.deferred).add(node.name)
        elif name != START_CHANNEL:
            others[name] = value
    ordered = {key: values[key] for key in plan.channels if key in values}
    return ordered, frontier, others


def gone_nodes(others: Mapping[str, object]) -> List[str]:
    """Return the nodes that are due in a record, but unknown to the graph.

    Args:
        others: The channels of the record that the graph does not have.
    """
    return [name[len(BRANCH) :] for name in others if name.startswith(BRANCH)]


def _read_join(plan: Plan, join: Join, value: object, frontier: Frontier) -> None:
    deferred = plan.nodes[join.target].defer
    arrived = value[0] if deferred and isinstance(value, (list, tuple)) else value
    names: FrozenSet[str] = frozenset(arrived if isinstance(arrived, Iterable) else ())
    if not names:
        return
    frontier.joined[join.trigger] = names
    if names == join.sources:
        (frontier.due if not deferred or _released(value) else frontier.deferred).add(join.target)


def _released(value: object) -> bool:
    """Return whether a deferred node may run: its channel holds a pair of a value and this."""
    return isinstance(value, (list, tuple)) and len(value) == 2 and bool(value[1])


def _sends(value: object) -> List[Send]:
    """Return the `Send`s of a channel, which some savers return as something else.

    Raises:
        ValueError: One of them is lost: the task that it would start would not run.
    """
    sends = list(value) if isinstance(value, (list, tuple)) else []
    for item in sends:
        if not isinstance(item, Send):
            raise ValueError(f"the saver has returned {item!r:.80} in place of a Send")
    return sends


def to_writes(node: Node, result: TaskResult) -> List[Tuple[str, object]]:
    """Return the stored writes of a finished task: its values, then where it leads.

    Args:
        node: Its node.
        result: Its result.
    """
    writes: List[Tuple[str, object]] = list(result.stored or result.writes)
    writes += [(BRANCH + name, None) for name in node.edges]
    writes += [(join.trigger, node.name) for join in node.joins]
    writes += [(SENDS, route) if isinstance(route, Send) else (BRANCH + route, None) for route in result.routes]
    return writes or [(NO_WRITES, None)]


def from_writes(plan: Plan, writes: Sequence[Tuple[str, object]]) -> TaskResult:
    """Return the result of a finished task from its stored writes.

    The nodes at its own edges are among its routes, which lead to each node only once.

    Args:
        plan: The graph.
        writes: The stored writes.
    """
    pairs = tuple([(name, value) for name, value in writes if name in plan.channels or name in BARE_KEYS])
    routes: List[Route] = []
    for name, value in writes:
        if name == SENDS and isinstance(value, Send):
            routes.append(value)
        elif name.startswith(BRANCH) and name[len(BRANCH) :] in plan.nodes:
            routes.append(name[len(BRANCH) :])
    return TaskResult(pairs, tuple(routes))
