"""Nothing of a run stays in memory when it is over, not after thousands of them."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any, Dict, List

import pytest

from scenarios.ending.small_nodes import aspeak, awrite, speak, write
from streamgraph.config import get_stream_writer
from support.value_graphs import graph_of, line_of
from support.waiting import eventually, run, threads

RUNS = 2000
SPARE = 40  # objects by which caches may grow between the halves of the runs


class MineError(Exception):
    """What a node raises."""


def fail(state: Any) -> Dict[str, Any]:
    """Write and fail."""
    get_stream_writer()("some")
    raise MineError


async def afail(state: Any) -> Dict[str, Any]:
    """Write and fail, on the loop."""
    get_stream_writer()("some")
    raise MineError


async def wait(state: Any) -> None:
    """Wait until cancelled."""
    get_stream_writer()("some")
    await asyncio.Event().wait()


def kinds(asynchronous: bool) -> Dict[str, Any]:
    """Graphs, and the modes of their streams."""
    writes, speaks, fails = (awrite, aspeak, afail) if asynchronous else (write, speak, fail)

    async def call(state: Any) -> Any:
        return await inner.ainvoke(state)

    inner = graph_of(inner=writes)
    nested = line_of(outer=graph_of(middle=inner), called=call if asynchronous else inner.invoke)
    return {
        "plain": (line_of(one=writes, two=writes), "updates"),
        "messages": (graph_of(work=speaks), "messages"),
        "nested": (nested, ["custom", "updates"]),
        "failing": (line_of(one=writes, two=fails), ["custom", "values"]),
        "left early": (graph_of(one=writes, two=wait if asynchronous else writes), ["custom", "tasks"]),
    }


def once(graph: Any, modes: Any, most: int) -> None:
    """Run a graph, or leave it after some chunks."""
    try:
        with graph.stream({"value": "?"}, stream_mode=modes) as stream:
            for _, _ in zip(range(most), stream):
                pass
    except MineError:
        pass


async def aonce(graph: Any, modes: Any, most: int) -> None:
    """The same on a loop."""
    try:
        async with graph.astream({"value": "?"}, stream_mode=modes) as stream:
            async for _ in stream:
                most -= 1
                if most == 0:
                    break
    except MineError:
        pass


def objects() -> int:
    """The number of objects that live on."""
    for _ in range(3):
        gc.collect()
    return len(gc.get_objects())


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["plain", "messages", "nested", "failing", "left early"])
@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_thousands_of_runs(driver: str, kind: str) -> None:
    """The second thousand of runs leaves no more objects than there were after the first."""
    graph, modes = kinds(driver == "astream")[kind]
    most = 3 if kind == "left early" else 10**6
    counts: List[int] = []
    before = threads()

    def settled() -> None:
        eventually(lambda: threads() <= before)
        counts.append(objects())

    async def main() -> None:
        await aonce(graph, modes, most)
        counts.append(objects())
        for _ in range(2):
            for _ in range(RUNS // 2):
                await aonce(graph, modes, most)
            await asyncio.sleep(0)
            counts.append(objects())

    if driver == "astream":
        run(main())
    else:
        once(graph, modes, most)
        settled()
        for _ in range(2):
            for _ in range(RUNS // 2):
                once(graph, modes, most)
            settled()
    first, middle, last = counts
    assert last - middle < SPARE
    assert middle - first < 10 * SPARE


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("kind", ["plain", "messages", "nested"])
def test_streams_die_at_once(kind: str, left: bool) -> None:
    """Without the collector: a stream that ends or is left is in no cycle that keeps it alive."""
    graph, modes = kinds(False)[kind]
    gc.collect()
    gc.disable()
    try:
        stream = graph.stream({"value": "?"}, stream_mode=modes)
        ref = weakref.ref(stream)
        for _ in stream:
            if left:
                break
        stream.close()
        del stream
        assert ref() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("kind", ["plain", "messages", "nested"])
@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_nothing_for_the_collector(driver: str, kind: str) -> None:
    """A run, with its state, goes with its stream: no cycle has to be found first, which would take its time."""
    graph, modes = kinds(driver == "astream")[kind]
    most = 10**6
    left: List[int] = []

    def measured() -> None:
        gc.collect()
        gc.disable()

    async def main() -> None:
        for _ in range(3):
            await aonce(graph, modes, most)
        await asyncio.sleep(0)
        measured()
        await aonce(graph, modes, most)
        await asyncio.sleep(0)
        left.append(gc.collect())

    before = threads()
    try:
        if driver == "astream":
            run(main())
        else:
            for _ in range(3):
                once(graph, modes, most)
            eventually(lambda: threads() <= before)
            measured()
            once(graph, modes, most)
            eventually(lambda: threads() <= before)
            left.append(gc.collect())
    finally:
        gc.enable()
    assert left == [0]
