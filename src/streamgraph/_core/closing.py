"""What the tasks of a step have done, in the order in which it counts."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence, Tuple

from streamgraph._core.plan import Node
from streamgraph._core.results import Route, TaskResult
from streamgraph._core.state import Writes
from streamgraph._core.task import Task

StepResults = Tuple[
    Sequence[Tuple[Node, Sequence[Route]]], Sequence[Tuple[str, Writes]], Sequence[Optional[Mapping[str, Any]]]
]
"""The nodes that have finished, each with its routes; the writes, each with the name of its node; and for each of them
the state's values with these writes alone, if a branch has seen them. (Not a class: one is made in each step.)"""


def results_of(
    tasks: Sequence[Task],
    done: Mapping[str, TaskResult],
    shown: Mapping[str, TaskResult],
    start: Node,
    entry: Sequence[Route],
) -> StepResults:
    """Return what the tasks of a step have done.

    Args:
        tasks: The tasks; none if only the start has.
        done: The results of those that have finished, by task id.
        shown: The results of nodes whose branches have failed. A task whose failure was handled leads nowhere, and has
            written something only if a branch has failed; its handler is also a task of the step.
        start: The node of step 0.
        entry: Routes that the run takes from there besides the edges.
    """
    if len(tasks) == 1 and not entry:  # the usual step
        only = tasks[0]
        did = done.get(only.id)
        if did is not None:
            return ((only.node, did.routes),), ((only.name, did.stored or did.writes),), (did.folded,)
    finished: List[Tuple[Node, Sequence[Route]]] = [] if tasks else [(start, entry)]
    written: List[Tuple[str, Writes]] = []
    known: List[Optional[Mapping[str, Any]]] = []
    for task in tasks if len(tasks) < 2 else sorted(tasks, key=_order):
        did = done.get(task.id)
        if did is not None:
            finished.append((task.node, (*did.routes, *entry) if entry else did.routes))
        else:
            did = shown.get(task.id)
        if did is not None:
            written.append((task.name, did.stored or did.writes))
            known.append(did.folded)
    return finished, written, known


def _order(task: Task) -> tuple:  # type: ignore[type-arg]
    return task.order
