"""Graphs that call themselves can go deeper than a call stack: LangGraph can, too, where it awaits."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, List

import pytest
from typing_extensions import TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.errors import location_of
from streamgraph.graph import START, StateGraph
from support.waiting import eventually, run, soon

DEPTH = 300
"""With ten calls for each level a stack would hold a third of it."""


class Level(TypedDict, total=False):
    """How deep it is."""

    level: int


class Recursive:
    """A graph whose node runs the graph again, down to a level at which it does something else."""

    def __init__(self, bottom: Any, *, asynchronous: bool) -> None:
        self._bottom = bottom
        node: Any = self._anode if asynchronous else self._node
        self.graph: Any = StateGraph(Level).add_node("node", node).add_edge(START, "node").compile()

    def _node(self, state: Level) -> Any:
        level = state["level"]
        return self.graph.invoke({"level": level + 1}) if level < DEPTH else self._bottom(state)

    async def _anode(self, state: Level) -> Any:
        level = state["level"]
        return await (self.graph.ainvoke({"level": level + 1}) if level < DEPTH else self._bottom(state))


def says(state: Level) -> Level:
    """Write something."""
    get_stream_writer()("from below")
    return {"level": 1000}


async def asays(state: Level) -> Level:
    """Write something, on a loop."""
    return says(state)


def fails(state: Level) -> Any:
    """Fail."""
    raise ValueError("from below")


async def afails(state: Level) -> Any:
    """Fail, on a loop."""
    fails(state)


@pytest.mark.parametrize("driver", ["invoke", "ainvoke"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_output(asynchronous: bool, driver: str) -> None:
    """The output comes up from below, whether nodes are awaited or called."""
    graph = Recursive(asays if asynchronous else says, asynchronous=asynchronous).graph
    found = graph.invoke({"level": 0}) if driver == "invoke" else asyncio.run(graph.ainvoke({"level": 0}))
    assert found == {"level": 1000}


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_chunks(asynchronous: bool, driver: str) -> None:
    """So do custom data and failures."""
    for bottom in ((says, asays), (fails, afails)):
        graph = Recursive(bottom[asynchronous], asynchronous=asynchronous).graph
        stream = getattr(graph, driver)({"level": 0}, stream_mode="custom")
        chunks: List[Any] = []

        async def main(stream: Any = stream, chunks: List[Any] = chunks) -> None:
            async for chunk in stream:
                chunks.append(chunk)

        try:
            run(main()) if driver == "astream" else chunks.extend(stream)
        except ValueError as error:
            location = location_of(error)
            assert location is not None
            assert len(location.namespace) == DEPTH
            assert bottom[0] is fails
        else:
            assert chunks == ["from below"]


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_leaving(asynchronous: bool, driver: str) -> None:
    """Who leaves ends the node at the bottom."""
    ended = threading.Event()

    def writes(state: Level) -> None:
        writer = get_stream_writer()
        try:
            while True:
                writer("more")
        finally:
            ended.set()

    async def waits(state: Level) -> None:
        get_stream_writer()("more")
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    graph = Recursive(waits if asynchronous else writes, asynchronous=asynchronous).graph

    async def main() -> None:
        async with graph.astream({"level": 0}, stream_mode="custom", max_buffer=10) as stream:
            await stream.__anext__()
        await soon(ended.is_set)

    if driver == "astream":
        run(main())
    else:
        with graph.stream({"level": 0}, stream_mode="custom", max_buffer=10) as stream:
            next(stream)
        eventually(ended.is_set)
