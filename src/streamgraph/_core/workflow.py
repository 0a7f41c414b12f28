"""One run of a functional workflow: a single task, whose value is the result."""

from __future__ import annotations

from typing import Any, List, Tuple, Union

from streamgraph._core.effects import Effect, Fail, Finish, StartTask
from streamgraph._core.events import Event, TaskFailed
from streamgraph._core.ids import task_id
from streamgraph._core.parts import PartBuilder
from streamgraph._core.plan import Plan
from streamgraph._core.run import Run
from streamgraph._core.state import State, Writes
from streamgraph._core.task import Task
from streamgraph._locations import locate
from streamgraph._streams.copying import copy_containers
from streamgraph.errors import ErrorLocation


class WorkflowRun:
    """The state machine of one run of a workflow; to a driver it looks like that of a graph.

    Args:
        plan: The workflow: a plan with one node.
        parts: Makes what the stream shows.
        seed: Stands for this run in the ids of its tasks, 16 bytes.
        ns: The namespace of the workflow.
        limit: The recursion limit, which graphs that run inside inherit.
    """

    def __init__(self, plan: Plan, parts: PartBuilder, *, seed: bytes, ns: Tuple[str, ...], limit: int) -> None:
        self.plan = plan
        self.limit = limit
        self.ns = ns
        self.state = State(plan)
        self.tasks: List[Task] = []
        self._parts = parts
        self._seed = seed

    def start(self, writes: Writes) -> List[Effect]:
        """Begin with this input, the one value that is written."""
        ((_, given),) = writes
        (node,) = self.plan.nodes.values()
        task = Task(task_id(self._seed, 0, node.name, -1), node, 0, copy_containers(given), node.triggers, -1)
        self.tasks = [task]
        # Never in place: what the tasks that it calls do is to be seen while it waits for them.
        return [*self._parts.started(task), StartTask(task, alone=False)]

    def output(self) -> Any:
        """Return nothing: a workflow has no state before it returns."""

    def feed(self, event: Event) -> List[Effect]:
        """Take in the end of the task."""
        task = event.task
        if isinstance(event, TaskFailed):
            locate(event.error, ErrorLocation(task.name, task.step, self.ns))
            return [*self._parts.failed(task, event.error, None), Fail(event.error)]
        ((_, value),) = event.outcome.writes
        finished = self._parts.finished(task, event.outcome, event.cached)
        return [*finished, *self._parts.returned(value), Finish(copy_containers(value))]


AnyRun = Union[Run, WorkflowRun]
"""What a driver runs."""


def value_of(writes: Writes) -> Any:
    """Return the value of a task that writes one."""
    ((_, value),) = writes
    return value
