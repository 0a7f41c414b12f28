"""How LangGraph's outcome becomes what we promise, for graphs of nodes and channels; see `differences.py`."""

from __future__ import annotations

import dataclasses
from typing import Any

from differential.adapting import Pair, Where
from differential.harness import Outcome

_SENDS = "__pregel_tasks"


def sends(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    """Without the channel in which LangGraph keeps the `Send`s of a step."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items() if key != _SENDS}
        return type(value)(walk(item) for item in value) if isinstance(value, (list, tuple)) else value

    return dataclasses.replace(theirs, chunks=tuple(walk(chunk) for chunk in theirs.chunks)), ours


def updated(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    """Only what the node has done that the input starts."""
    started = {"values": 0, "updates": 1, "tasks": 2}[str(where.setup.mode)]
    return dataclasses.replace(theirs, chunks=theirs.chunks[:started]), ours


def limited(theirs: Outcome, ours: Outcome, where: Where) -> Pair:
    """Without the step that LangGraph runs before it finds that there are too many."""
    return dataclasses.replace(theirs, chunks=theirs.chunks[:-1]), ours
