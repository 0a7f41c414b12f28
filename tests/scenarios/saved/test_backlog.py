"""With `durability="async"` a run does not wait for its saver, unless too much is waiting to be stored."""

from __future__ import annotations

import asyncio
from threading import Event
from typing import Any, List

import pytest
from typing_extensions import TypedDict

from streamgraph.graph import END, START, StateGraph
from support.minimal_savers import SyncSaver
from support.waiting import PATIENCE

STEPS = 60


class Count(TypedDict):
    n: int


class Gated(SyncSaver):
    """A saver that stores nothing before a gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Event()
        self.stored: List[int] = []

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        assert self.gate.wait(PATIENCE), "the run waits for what it stores"
        self.stored.append(metadata["step"])
        return super().put(config, checkpoint, metadata, new_versions)


def loop(saver: Any, steps: int, at_end: Any) -> Any:
    """Return a graph that counts up, and calls a function in its last step."""

    def count(state: Count) -> Count:
        if state["n"] + 1 == steps:
            at_end()
        return {"n": state["n"] + 1}

    builder = StateGraph(Count).add_node(count).add_edge(START, "count")
    return builder.add_conditional_edges("count", lambda s: END if s["n"] == steps else "count").compile(saver)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_run_is_ahead_of_its_saver(asynchronous: bool) -> None:
    saver = Gated()
    graph = loop(saver, STEPS, saver.gate.set)
    config: Any = {"configurable": {"thread_id": "1"}, "recursion_limit": 1000}
    out = asyncio.run(graph.ainvoke({"n": 0}, config)) if asynchronous else graph.invoke({"n": 0}, config)
    assert out == {"n": STEPS}
    assert saver.stored == list(range(-1, STEPS + 1))  # all of it, before the run is over
