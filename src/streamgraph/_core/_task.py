"""One execution of a node."""

from __future__ import annotations

from typing import Any, Tuple

from streamgraph._core._plan import Node

PULL = "__pregel_pull"
PUSH = "__pregel_push"


class Task:
    """One execution of a node in one step.

    Attributes:
        id: Unique in the run, in the shape of a UUID.
        node: The node.
        name: Its name.
        step: The superstep, counted from 1 (0 for the branches of the start).
        input: What the node gets.
        triggers: What started it, sorted.
        path: LangGraph's description of how it came about, for metadata.
        order: The place of its writes among those of its step: nodes by name, then `Send`s as sent.
        address: Its part of the namespace of graphs that run in it, `name:id`.
    """

    __slots__ = ("address", "id", "input", "name", "node", "order", "path", "step", "triggers")

    def __init__(self, id: str, node: Node, step: int, input: Any, triggers: Tuple[str, ...], index: int) -> None:  # noqa: A002
        self.id = id
        self.node = node
        self.name = node.name
        self.step = step
        self.input = input
        self.triggers = triggers
        self.path: Tuple[Any, ...] = (PULL, node.name) if index < 0 else (PUSH, index, False)
        self.order = (0, 0, node.name) if index < 0 else (1, index, node.name)
        self.address = f"{node.name}:{id}"
