"""A hundred thousand chunks and a consumer that comes late: what waits stays as small as was asked for."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from typing import Any, Callable, List, Tuple

import pytest
from langchain_core.messages import AIMessageChunk

from streamgraph._drivers.overflow import CoalescingQueue
from streamgraph._messages.coalescing import COALESCER
from streamgraph._messages.copying import private_copy
from streamgraph._streams.part import Part
from streamgraph.runtime import Runtime
from support.value_graphs import State, graph_of
from support.waiting import run

pytestmark = pytest.mark.slow

COUNT = 30_000
LIMIT = 100


def _node(state: State, writer: Any) -> None:
    for number in range(COUNT):
        writer(number)


async def _anode(state: State, runtime: Runtime) -> None:
    for number in range(COUNT):
        runtime.stream_writer(number)
        if number % 10 == 9:
            await runtime.caught_up()


def measured(read: Callable[[], Tuple[int, int]]) -> Tuple[int, int, int]:
    """What `read` returns, and how much memory was used at most meanwhile."""
    gc.collect()
    tracemalloc.start(1)
    try:
        total, peak = read()
        return total, peak, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("overflow", ["block", "drop_oldest"])
def test_sync(overflow: Any) -> None:
    """A sync node: as many chunks as were made are taken or counted, and memory stays flat."""

    def read() -> Tuple[int, int]:
        total = peak = 0
        stream = graph_of(node=_node).stream({}, stream_mode=["custom"], max_buffer=LIMIT, overflow=overflow)
        for mode, data in stream:
            if not total:
                time.sleep(0.05)
            total += data.dropped if mode == "gap" else 1
            peak = max(peak, stream.buffered)
        return total, peak

    total, peak, memory = measured(read)
    assert total == COUNT
    assert peak <= LIMIT
    assert memory < 1_000_000


@pytest.mark.parametrize("overflow", ["block", "drop_oldest"])
def test_async(overflow: Any) -> None:
    """The same for an async node that waits now and then."""

    async def main() -> Tuple[int, int]:
        total = peak = 0
        stream = graph_of(node=_anode).astream({}, stream_mode=["custom"], max_buffer=LIMIT, overflow=overflow)
        async for mode, data in stream:
            if not total:
                time.sleep(0.05)
            total += data.dropped if mode == "gap" else 1
            peak = max(peak, stream.buffered)
        return total, peak

    total, peak, memory = measured(lambda: run(main()))
    assert total == COUNT
    assert peak <= LIMIT + 10
    assert memory < 1_000_000


def test_merging_is_linear_and_flat() -> None:
    """Tokens that become one take no more memory than their text, and no more time for each the more there are."""

    metadata = {"langgraph_checkpoint_ns": "node:1"}
    word = AIMessageChunk(content="word ", id="m")

    def merged(count: int) -> float:
        store = CoalescingQueue(1, COALESCER)
        began = time.thread_time()  # which other processes do not lengthen
        for _ in range(count):
            assert store.offer(Part((), "messages", (private_copy(word, "m"), metadata), "node"))
        assert store.pop().data[0].content == "word " * count
        return time.thread_time() - began

    merged(100)
    short, long = min(merged(1_000) for _ in range(5)), min(merged(COUNT // 2) for _ in range(2))
    assert long < 45 * short  # fifteen times as many; if each looked at all before it, it would be 225 times
    _, _, memory = measured(lambda: (int(merged(COUNT)), 0))
    assert memory < 5 * len("word ") * COUNT


def test_threads_beside_each_other() -> None:
    """Eight nodes in threads share a small buffer, and nothing is lost or reordered."""
    running: List[int] = []
    lock = threading.Lock()

    def make(name: int) -> Any:
        def node(state: State, writer: Any) -> None:
            for number in range(1000):
                writer((name, number))
            with lock:
                running.append(name)

        return node

    graph = graph_of(**{f"node{name}": make(name) for name in range(8)})
    by_node: List[List[int]] = [[] for _ in range(8)]
    with graph.stream({}, stream_mode="custom", max_buffer=4) as stream:
        for name, number in stream:
            by_node[name].append(number)
            assert stream.buffered <= 4
    assert by_node == [list(range(1000))] * 8
    assert sorted(running) == list(range(8))
