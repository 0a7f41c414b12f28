"""Reads checkpoints of formats 1 and 2, in which what starts a node had several names.

| channel | what it says |
|---|---|
| `start:n` | `n` is an entry node of the graph, and due |
| `branch:<source>:<branch>:n` | a branch has led to `n` |
| `n` | `n` has just run, so that the nodes at its edges are due |

Joins, sends and keys of the state had the names that they have today.
"""

from __future__ import annotations

from typing import Any, Collection, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from streamgraph._checkpoint.channels import BRANCH
from streamgraph._checkpoint.ids import RecordIds
from streamgraph._core.frontier import Frontier
from streamgraph._core.plan import Plan

UNIFORM = 3
"""The format from which on every node that is due has a channel of one form."""

Started = Mapping[str, Sequence[str]]
"""For each node that is due, the channels that have started it."""


def renamed_channels(plan: Plan, channels: Mapping[str, object]) -> Tuple[Dict[str, object], Started]:
    """Return the channels of a checkpoint under today's names, and those that have started nodes.

    Args:
        plan: The graph.
        channels: The channels as they were stored.
    """
    renamed: Dict[str, object] = {}
    started: Dict[str, List[str]] = {}
    for name, value in channels.items():
        nodes = _started_by(plan, name)
        if nodes is None:
            renamed[name] = value
            join = plan.joins.get(name)
            if join is not None and value == join.sources:
                started.setdefault(join.target, []).append(name)
        else:
            for node in nodes:
                renamed[BRANCH + node] = None
                started.setdefault(node, []).append(name)
    return renamed, started


def renamed_writes(plan: Plan, writes: Iterable[Tuple[str, str, Any]]) -> List[Tuple[str, str, Any]]:
    """Return the stored writes of tasks under today's names.

    That a node has run is not among them: its edges are known.

    Args:
        plan: The graph.
        writes: For each write, the id of the task, the channel, and the value.
    """
    renamed: List[Tuple[str, str, Any]] = []
    for task, name, value in writes:
        nodes = _started_by(plan, name)
        if nodes is None:
            renamed.append((task, name, value))
        elif name in plan.nodes:
            renamed.append((task, "__no_writes__", None))  # the task has finished, if it has written nothing else
        else:
            renamed += [(task, BRANCH + node, None) for node in nodes]
    return renamed


def _started_by(plan: Plan, name: str) -> Optional[Sequence[str]]:
    """Return the nodes that a channel has started, or `None` if it starts none in today's formats alone."""
    if name in plan.channels:
        return None
    if name in plan.nodes:
        return plan.nodes[name].edges
    kind, *rest = name.split(":")
    old = (kind == "start" and len(rest) == 1) or (kind == "branch" and len(rest) == 3)
    return (rest[-1],) if old and rest[-1] in plan.nodes else None


class OldIds(RecordIds):
    """The ids of the tasks after a checkpoint of an old format: functions of what has started each task.

    Args:
        record: The id of the record.
        ns: The namespace of the graph.
        version: The version whose hash function is used.
        started: The channels that have started each node.
    """

    __slots__ = ("_started",)

    def __init__(self, record: str, ns: Tuple[str, ...], version: int, started: Started) -> None:
        super().__init__(record, ns, version)
        self._started = started

    def by_edge(self, step: int, node: str, triggers: Sequence[str]) -> str:
        """Return the id of a task that edges, branches or joins have started."""
        return super().by_edge(step, node, sorted(self._started.get(node, triggers)))


def old_ids(
    checkpoint: Mapping[str, Any], ns: Tuple[str, ...], started: Started, frontier: Frontier, tasks: Collection[str]
) -> OldIds:
    """Return the ids of the tasks after a checkpoint of an old format.

    The format is that of the saver. LangGraph 0.2 computed ids as with format 1 when its saver had format 2.

    Args:
        checkpoint: The checkpoint.
        ns: The namespace of the graph.
        started: The channels that have started each node.
        frontier: What is due.
        tasks: The ids of tasks of which something is stored.
    """
    step = frontier.step + 1
    for version in (checkpoint["v"], 1):
        ids = OldIds(checkpoint["id"], ns, version, started)
        due = [ids.by_edge(step, node, ()) for node in started]
        due += [ids.by_send(step, send.node, index) for index, send in enumerate(frontier.sends)]
        if any(task in tasks for task in due):
            return ids
    return OldIds(checkpoint["id"], ns, checkpoint["v"], started)
