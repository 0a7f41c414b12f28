"""What the tasks of a step have done, in the order in which it counts."""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from streamgraph._core.plan import Node
from streamgraph._core.results import Route, TaskResult
from streamgraph._core.state import Writes
from streamgraph._core.task import Task


class StepResults(NamedTuple):
    """What the tasks of a step have done.

    Attributes:
        finished: The nodes that have finished, each with its routes.
        written: The writes, each with the name of its node.
        known: For each of them the state's values with these writes alone, if a branch has seen them.
    """

    finished: List[Tuple[Node, Sequence[Route]]]
    written: List[Tuple[str, Writes]]
    known: List[Optional[Mapping[str, Any]]]


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
    results = StepResults([] if tasks else [(start, entry)], [], [])
    for task in tasks if len(tasks) < 2 else sorted(tasks, key=_order):
        did = done.get(task.id)
        if did is not None:
            results.finished.append((task.node, (*did.routes, *entry) if entry else did.routes))
        else:
            did = shown.get(task.id)
        if did is not None:
            results.written.append((task.name, did.stored or did.writes))
            results.known.append(did.folded)
    return results


def _order(task: Task) -> tuple:  # type: ignore[type-arg]
    return task.order
