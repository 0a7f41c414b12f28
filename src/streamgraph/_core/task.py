"""One execution of a node."""

from __future__ import annotations

from typing import Any, Optional, Tuple

from streamgraph._core.plan import Node
from streamgraph._core.results import TaskResult
from streamgraph._policies import TimeoutPolicy
from streamgraph.errors import NodeError

PULL = "__pregel_pull"
PUSH = "__pregel_push"


class Task:
    """One execution of a node in one step.

    Args (besides attributes):
        index: The position among the step's `Send`s, or -1 for a node reached by edges.
        parent: The task that it is a part of: the one that called it, or whose failure it handles.

    Attributes:
        id: Unique in the run, in the shape of a UUID.
        node: The node.
        name: Its name.
        step: The superstep, counted from 1 (0 for the branches of the start and for functional workflows).
        input: What the node gets.
        triggers: What started it, sorted.
        path: LangGraph's description of how it came about, for metadata.
        order: The place of its writes among those of its step: nodes by name, then `Send`s as sent.
        ns_suffix: Its part of the namespace of graphs that run in it: `name:id`, after that of its parent.
        timeout: How long an attempt may take.
        error: The failure that it handles.
        calls: How many graphs have been called in it, in all of its attempts.
        outcome: What its node has done in the last attempt, known before the branches after it are asked.
    """

    __slots__ = (
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
        self.outcome: Optional[TaskResult] = None
        if parent is not None:
            self.ns_suffix = (*parent.ns_suffix, *self.ns_suffix)


def called_task(id: str, node: Node, given: Any, caller: Task, index: int) -> Task:  # noqa: A002
    """Return the task of a `@task` function that is called inside another task.

    Args:
        id: Its id.
        node: The function.
        given: The arguments, positional and by name.
        caller: The task it is called in.
        index: How many were called there before it.
    """
    task = Task(id, node, caller.step, given, (PUSH,), -1, caller)
    task.path = (PUSH, caller.path, index, True)
    return task


def handling_task(id: str, failed: Task, error: BaseException) -> Task:  # noqa: A002
    """Return the task that runs in place of one that has failed.

    Args:
        id: Its id.
        failed: The task that has failed; its node has a handler.
        error: What it raised.
    """
    assert failed.node.handler is not None
    task = Task(id, failed.node.handler, failed.step, failed.input, (PUSH,), -1, failed)
    task.path = (*failed.path, "node_error_handler", False)
    task.order = failed.order
    task.error = NodeError(failed.name, error)
    return task
