"""Tasks: executions of a node, as data."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

from streamgraph._core.plan import Node
from streamgraph._core.results import TaskResult
from streamgraph._policies import TimeoutPolicy
from streamgraph.errors import NodeError

PULL = "__pregel_pull"
PUSH = "__pregel_push"

NO_TASK = "00000000-0000-0000-0000-000000000000"
"""The id under which is stored what belongs to no task: what the command has changed with which a run continues."""


_NO_ANSWERS: Mapping[str, object] = {}


class Task:
    """One execution of a node in one step.

    Args:
        id: Its id, unique in the run, in the shape of a UUID.
        node: The node.
        step: The superstep, counted from 1 (0 for the branches of the start and for functional workflows).
        input: The input of the node.
        triggers: The triggers that started it, sorted.
        index: The position among the step's `Send`s, or -1 for a node reached by edges.
        parent: The task that it is a part of: the one that called it, or whose failure it handles.

    Attributes:
        name: The node's name.
        path: LangGraph's description of its origin, for metadata.
        order: The sort key of its writes in its step: nodes by name, then `Send`s as sent.
        ns_suffix: Its part of the namespace of graphs that run in it: `name:id`, after that of its parent.
        timeout: The time limits of an attempt.
        error: The failure that it handles.
        calls: The number of graphs that were called in it, over all of its attempts.
        answers: The answers to its questions, in order.
        call_answers: The answers to questions of one of several tool calls, by the ids of the questions.
        outcome: The result of its node in the last attempt, set before the branches after it are called.
    """

    __slots__ = (
        "answers",
        "call_answers",
        "calls",
        "error",
        "id",
        "input",
        "name",
        "node",
        "ns_suffix",
        "order",
        "outcome",
        "path",
        "step",
        "timeout",
        "triggers",
    )

    def __init__(
        self,
        id: str,  # noqa: A002  (the field's name everywhere)
        node: Node,
        step: int,
        input: Any,  # noqa: A002
        triggers: Tuple[str, ...],
        index: int,
        parent: Optional[Task] = None,
    ) -> None:
        self.id = id
        self.node = node
        self.name = node.name
        self.step = step
        self.input = input
        self.triggers = triggers
        self.path: Tuple[Any, ...] = (PULL, node.name) if index < 0 else (PUSH, index, False)
        self.order: Tuple[Any, ...] = (0, 0, node.name) if index < 0 else (1, index, node.name)
        self.ns_suffix: Tuple[str, ...] = (f"{node.name}:{id}",)
        self.timeout: Optional[TimeoutPolicy] = node.policies.timeout
        self.error: Optional[NodeError] = None
        self.calls = 0
        self.answers: Tuple[object, ...] = ()
        self.call_answers: Mapping[str, object] = _NO_ANSWERS
        self.outcome: Optional[TaskResult] = None
        if parent is not None:
            self.ns_suffix = (*parent.ns_suffix, *self.ns_suffix)


def called_task(id: str, node: Node, given: Any, caller: Task, index: int) -> Task:  # noqa: A002
    """Return the task of a `@task` function that is called inside another task.

    Args:
        id: Its id.
        node: The function.
        given: The arguments, positional and by name.
        caller: The task in which it is called.
        index: The number of earlier calls in that task.
    """
    task = Task(id, node, caller.step, given, (PUSH,), -1, caller)
    task.path = (PUSH, caller.path, index, True)
    return task


def handling_task(id: str, failed: Task, error: BaseException) -> Task:  # noqa: A002
    """Return the task that runs in place of a failed one.

    Args:
        id: Its id.
        failed: The failed task; its node has a handler.
        error: The exception of the failed task.
    """
    assert failed.node.handler is not None
    task = Task(id, failed.node.handler, failed.step, failed.input, (PUSH,), -1, failed)
    task.path = (*failed.path, "node_error_handler", False)
    task.order = failed.order
    task.error = NodeError(failed.name, error)
    return task


def metadata_of(task: Task, ns: Tuple[str, ...]) -> Dict[str, Any]:
    """Return the metadata that identifies a task.

    Args:
        task: The task.
        ns: The namespace of its graph.
    """
    return {
        "langgraph_step": task.step,
        "langgraph_node": task.name,
        "langgraph_triggers": task.triggers,
        "langgraph_path": task.path,
        "langgraph_checkpoint_ns": "|".join((*ns, *task.ns_suffix)),
    }
