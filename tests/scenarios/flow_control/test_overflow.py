"""`overflow="drop_oldest"` and `"raise"`: what becomes of one chunk too many."""

from __future__ import annotations

import threading
from typing import Any, List

import pytest

from scenarios.flow_control.token_producers import MODES, PRODUCERS, TokenSource, text
from streamgraph.config import get_stream_writer
from streamgraph.errors import GraphError, StreamOverflowError
from streamgraph.types import Gap, RetryPolicy
from support.value_graphs import State, graph_of, line_of
from support.waiting import PATIENCE, eventually, run, soon

LIMIT = 3


class Told:
    """A node, sync or async, that writes numbers as it is told to."""

    def __init__(self, total: int) -> None:
        self.told = threading.Event()
        self.done = threading.Event()
        self._total = total

    def node(self, state: State) -> State:
        """Write in a thread."""
        get_stream_writer()(0)
        assert self.told.wait(PATIENCE)
        return self._rest()

    async def anode(self, state: State) -> State:
        """Write on the loop."""
        get_stream_writer()(0)
        await soon(self.told.is_set)
        return self._rest()

    def _rest(self) -> State:
        writer = get_stream_writer()
        try:
            for number in range(1, self._total):
                writer(number)
        finally:
            self.done.set()
        return {"value": "done"}


def drain(graph: Any, told: Told, asynchronous: bool, **options: Any) -> List[Any]:
    """Take the first chunk, let the node write all others, and then take them."""
    options = {"stream_mode": "custom", "max_buffer": LIMIT, **options}

    async def main() -> List[Any]:
        stream = graph.astream({}, **options)
        seen = [await stream.__anext__()]
        told.told.set()
        await soon(told.done.is_set)
        assert stream.buffered <= LIMIT
        return [*seen, *[chunk async for chunk in stream]]

    if asynchronous:
        return list(run(main()))
    stream = graph.stream({}, **options)
    seen = [next(stream)]
    told.told.set()
    eventually(told.done.is_set)
    assert stream.buffered <= LIMIT
    return [*seen, *stream]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", ["node", "anode"])
def test_gap_in_place_of_what_was_dropped(name: str, asynchronous: bool) -> None:
    """The newest chunks are kept, and what is missing before them is counted."""
    told = Told(20)
    graph = graph_of(node=getattr(told, name))
    seen = drain(graph, told, asynchronous, overflow="drop_oldest")
    assert seen == [0, Gap(16, {"custom": 16}), 17, 18, 19]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_no_gap_without_a_loss(asynchronous: bool) -> None:
    """As many as may wait are all there."""
    told = Told(LIMIT + 1)
    assert drain(graph_of(node=told.node), told, asynchronous, overflow="drop_oldest") == [0, 1, 2, 3]


def test_several_gaps() -> None:
    """Each gap counts what was dropped since the last one, and the counts add up to all that is missing."""
    made = TokenSource(2000)
    stream = graph_of(node=PRODUCERS["model"](made)).stream(
        {}, stream_mode=["messages"], max_buffer=2, overflow="drop_oldest"
    )
    seen: List[str] = []
    dropped = 0
    for chunk in stream:
        mode, data = chunk
        if mode == "gap":
            assert data.dropped == sum(data.modes.values()) == data.modes["messages"]
            dropped += data.dropped
        elif text(chunk):
            seen.append(text(chunk))
    assert seen == sorted(seen, key=int)
    # langchain-core ends a stream with an empty token from 1.0 on.
    assert len(seen) + dropped in (2000, 2001)


def test_shapes_and_modes() -> None:
    """A gap says how many of each mode are missing, in the shape of the other chunks; what the run makes is kept."""

    def last(**options: Any) -> List[Any]:
        told = Told(9)
        return drain(line_of(node=told.node, after=lambda state: None), told, False, overflow="drop_oldest", **options)

    gap = Gap(5, {"custom": 5})
    done: Any = ("updates", {"node": {"value": "done"}})
    after: Any = ("updates", {"after": None})
    numbers = [("custom", number) for number in (6, 7, 8)]
    assert last(stream_mode=["custom", "updates"]) == [("custom", 0), ("gap", gap), *numbers, done, after]
    assert last(stream_mode="custom", subgraphs=True)[1] == ((), gap)
    assert last(stream_mode=["custom"], subgraphs=True)[1] == ((), "gap", gap)
    assert last(stream_mode="custom", version="v2")[1] == {"type": "gap", "ns": (), "data": gap}


def test_gap_of_several_nodes_and_modes() -> None:
    """What nodes beside each other make is dropped by age, and counted by mode."""
    made = TokenSource(50)
    told = Told(50)
    graph = graph_of(one=PRODUCERS["model"](made), two=told.node)
    stream = graph.stream({}, stream_mode=MODES, max_buffer=LIMIT, overflow="drop_oldest")
    seen = [next(stream)]
    told.told.set()
    eventually(lambda: made.ended and told.done.is_set())
    seen += stream
    gaps = [data for mode, data in seen if mode == "gap"]
    assert {mode for gap in gaps for mode in gap.modes} == {"messages", "custom"}
    # langchain-core ends a stream with an empty token from 1.0 on.
    assert sum(gap.dropped for gap in gaps) + len(seen) - len(gaps) in (100, 101)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", ["node", "anode"])
def test_raise(name: str, asynchronous: bool) -> None:
    """One too many fails the node that makes it; what waited is delivered first."""
    told = Told(20)
    graph = graph_of(node=getattr(told, name))
    seen: List[Any] = []

    async def main() -> None:
        stream = graph.astream({}, stream_mode="custom", max_buffer=LIMIT, overflow="raise")
        seen.append(await stream.__anext__())
        told.told.set()
        await soon(told.done.is_set)
        async for chunk in stream:
            seen.append(chunk)

    def sync() -> None:
        stream = graph.stream({}, stream_mode="custom", max_buffer=LIMIT, overflow="raise")
        seen.append(next(stream))
        told.told.set()
        eventually(told.done.is_set)
        seen.extend(stream)

    with pytest.raises(StreamOverflowError) as caught:
        if asynchronous:
            run(main())
        else:
            sync()
    assert seen == [0, 1, 2, 3]
    error = caught.value
    assert isinstance(error, GraphError)
    assert (error.max_buffer, error.node) == (LIMIT, "node")
    assert "node 'node'" in str(error)
    assert "3 chunks" in str(error)
    assert "drop_oldest" in str(error)


def test_raise_in_a_nested_graph() -> None:
    """The node that is named is the one that made the chunk."""
    told = Told(20)
    stream = graph_of(outer=graph_of(inner=told.node)).stream(
        {}, stream_mode="custom", max_buffer=LIMIT, overflow="raise"
    )
    seen = [next(stream)]
    told.told.set()
    eventually(told.done.is_set)
    with pytest.raises(StreamOverflowError) as caught:
        seen.extend(stream)
    assert caught.value.node == "inner"
    assert seen == [0, 1, 2, 3]


def test_raise_is_not_tried_again() -> None:
    """A node is not tried again because its consumer is too slow."""
    from streamgraph.graph import StateGraph

    told = Told(20)
    builder: Any = StateGraph(State)
    builder.add_node("node", told.node, retry_policy=RetryPolicy(initial_interval=0)).set_entry_point("node")
    with pytest.raises(StreamOverflowError):
        drain(builder.compile(), told, False, overflow="raise")


@pytest.mark.parametrize("overflow", ["drop_oldest", "raise"])
@pytest.mark.parametrize("maker", PRODUCERS)
def test_nobody_waits(maker: str, overflow: Any) -> None:
    """Under these policies a consumer that keeps up gets everything, and closing stops what makes chunks."""
    made = TokenSource(5)
    graph = graph_of(node=PRODUCERS[maker](made))
    stream = graph.stream({}, stream_mode=MODES, max_buffer=10, overflow=overflow)
    assert "".join(map(text, stream)) == "".join(made.tokens())
    made = TokenSource(100000)
    with graph_of(node=PRODUCERS[maker](made)).stream(
        {}, stream_mode=MODES, max_buffer=1, overflow="drop_oldest"
    ) as stream:
        next(stream)
    eventually(lambda: made.ended)
    assert made.count < 100000
