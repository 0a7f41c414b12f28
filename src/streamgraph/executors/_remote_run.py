"""A run of one task that belongs to a run in another process."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from streamgraph._core.action import Action
from streamgraph._core.effects import Effect, Exit, Fail, Finish, StartTask
from streamgraph._core.events import Event, TaskDone, TaskFailed
from streamgraph._core.parts import PartBuilder
from streamgraph._core.plan import Channel, Node, Plan
from streamgraph._core.results import TaskResult
from streamgraph._core.run import Run
from streamgraph._core.state import Writes
from streamgraph._core.task import Task
from streamgraph.errors import NotSupportedError

_RESULT = "__elsewhere__"


class Returned:
    """What the node has returned, as it is: it is read as an update where the state is.

    Args:
        value: What it has returned.
    """

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


def plan_of(request: Mapping[str, Any], action: Action, returned: Callable[[object], None]) -> Plan:
    """Return the plan with the one node of a request, and the names that the graph around it has.

    Args:
        request: The request.
        action: The action of the node.
        returned: Is called with what the node has returned.
    """

    def writes(result: object) -> TaskResult:
        returned(result)
        return TaskResult(((_RESULT, Returned(result)),))

    name = request["node"]
    node = Node(
        name,
        action,
        triggers=tuple(request["triggers"]),
        metadata=request["node_metadata"],
        tags=tuple(request["node_tags"]),
        writes=writes,
    )
    return Plan(
        name,
        start=Node("__start__"),
        nodes={**{other: Node(other) for other in request["nodes"]}, name: node},
        joins={},
        channels={key: Channel(key) for key in (*request["keys"], _RESULT)},
        output_keys=(),
        as_mapping=lambda result: None,
        started_by={_RESULT: (name,)},  # it writes to channels: its result is not read as an update here
    )


class RemoteRun(Run):
    """The state machine of one task that belongs to a run in another process.

    Args:
        plan: The plan of `plan_of`.
        parts: Makes the parts of its `@task`s.
        request: The request.

    Attributes:
        task: The task.
        sent: What it has written besides what it has returned.
    """

    def __init__(self, plan: Plan, parts: PartBuilder, request: Mapping[str, Any]) -> None:
        super().__init__(plan, parts, seed=b"\0" * 16, ns=tuple(request["ns"]), limit=1)
        node = plan.nodes[request["node"]]
        self.task = task = Task(request["id"], node, request["step"], request["input"], node.triggers, -1)
        task.path, task.ns_suffix = request["path"], tuple(request["ns_suffix"])
        task.error, task.calls = request["error"], request["calls"]
        task.answers, task.call_answers = tuple(request["answers"]), request["call_answers"]
        self._whole: bool = request["whole"]
        self.sent: Writes = ()

    def start(self, writes: Writes) -> List[Effect]:
        """Begin with the task."""
        self.tasks = [self.task]
        self._running[self.task.id] = self.task
        return [StartTask(self.task, alone=False)]

    def feed(self, event: Event) -> List[Effect]:
        """End with the task."""
        self._running.clear()
        if isinstance(event, TaskDone):
            outcome = event.outcome
            routes = tuple([("__pregel_tasks", route) for route in outcome.routes])
            self.sent = (*[pair for pair in outcome.writes if pair[0] != _RESULT], *routes)
            return [Finish()]
        return [Fail(event.error) if isinstance(event, TaskFailed) else Exit(event.signal)]

    def snapshot(self, keys: Optional[Sequence[str]] = None) -> Dict[str, Any]:
        """Return values of the state, as far as the node was given it.

        Raises:
            NotSupportedError: The node was not given the key.
        """
        given = self.task.input
        names = [key for key in self.plan.channels if key != _RESULT] if keys is None else keys
        values: Dict[str, Any] = {}
        for key in names:
            if isinstance(given, Mapping) and key in given:
                values[key] = given[key]
            elif not isinstance(given, Mapping) and hasattr(given, key):
                values[key] = getattr(given, key)
            elif not self._whole:
                raise NotSupportedError(
                    f"The state's key {key!r} is not where the node runs: a worker has the input of the node",
                    node=self.task.name,
                    hint="Let the node's input have it, or give it with Send.",
                )
        return values
