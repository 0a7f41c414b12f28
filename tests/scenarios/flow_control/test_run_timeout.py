"""`timeout=`: a run that takes too long fails with an error that says what was running."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, List

import pytest

from scenarios.flow_control.token_producers import ASYNC, MODES, PRODUCERS, TokenSource, cut_off, text
from streamgraph.errors import GraphError, RunTimeoutError, StreamClosed
from streamgraph.graph import END, START, StateGraph
from streamgraph.runtime import Runtime
from streamgraph.types import Heartbeat
from support.clocks import LimitClock
from support.value_graphs import State, graph_of, line_of
from support.waiting import PATIENCE, eventually, run, soon

LIMIT = 0.05


class Stuck:
    """A node that says something, and then runs over its time until it is told to stop.

    Args:
        clock: The time of the limit.
    """

    def __init__(self, clock: LimitClock) -> None:
        self.ended = threading.Event()
        self._clock = clock

    def node(self, state: State, runtime: Runtime) -> None:
        """Run in a thread."""
        runtime.stream_writer("first")
        self._clock.advance(LIMIT)
        deadline = time.monotonic() + PATIENCE
        while not runtime.stopped and time.monotonic() < deadline:
            time.sleep(0.001)
        self.ended.set()

    async def anode(self, state: State, runtime: Runtime) -> None:
        """Run on the loop."""
        runtime.stream_writer("first")
        self._clock.advance(LIMIT)
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


def _check(error: RunTimeoutError, *nodes: str) -> None:
    assert isinstance(error, GraphError)
    assert isinstance(error, TimeoutError)
    assert error.timeout == LIMIT
    assert error.elapsed >= LIMIT
    assert sorted(task.node for task in error.running) == sorted(nodes)
    for node in nodes:
        assert f"node {node!r} in step 1" in str(error)
    assert f"{LIMIT:.3f}s" in str(error)


@pytest.mark.parametrize("name", ["node", "anode"])
@pytest.mark.parametrize("mode", ["custom", "updates"])
def test_stuck_node(name: str, mode: str, clock: LimitClock) -> None:
    """What was made is delivered, then the error is raised, and the node is told to stop."""
    stuck = Stuck(clock)
    stream = graph_of(stuck=getattr(stuck, name)).stream({}, stream_mode=mode, timeout=LIMIT)
    seen: List[Any] = []
    with pytest.raises(RunTimeoutError) as caught:
        seen.extend(stream)
    assert seen == (["first"] if mode == "custom" else [])
    _check(caught.value, "stuck")
    assert stream.status == "failed"
    eventually(stuck.ended.is_set)


@pytest.mark.parametrize("name", ["node", "anode"])
@pytest.mark.parametrize("mode", ["custom", "updates"])
def test_stuck_node_async(name: str, mode: str, clock: LimitClock) -> None:
    """The same on an event loop."""
    stuck = Stuck(clock)

    async def main() -> None:
        stream = graph_of(stuck=getattr(stuck, name)).astream({}, stream_mode=mode, timeout=LIMIT)
        seen: List[Any] = []
        with pytest.raises(RunTimeoutError) as caught:
            async for chunk in stream:
                seen.append(chunk)
        assert seen == (["first"] if mode == "custom" else [])
        _check(caught.value, "stuck")
        await soon(stuck.ended.is_set)

    run(main())


def test_thread_that_is_not_told(clock: LimitClock) -> None:
    """Nobody waits for a thread that does not look whether it should stop."""
    go_on = threading.Event()
    both = threading.Barrier(2, action=lambda: clock.advance(LIMIT))

    def node(state: State) -> None:
        both.wait(PATIENCE)
        go_on.wait(PATIENCE)

    graph = graph_of(node=node, other=node)
    began = time.monotonic()
    with pytest.raises(RunTimeoutError) as caught:
        graph.invoke({}, timeout=LIMIT)
    _check(caught.value, "node", "other")

    async def main() -> None:
        with pytest.raises(RunTimeoutError) as caught:
            await graph.ainvoke({}, timeout=LIMIT)
        _check(caught.value, "node", "other")

    run(main())
    assert time.monotonic() - began < PATIENCE
    go_on.set()


def test_run_in_time() -> None:
    """A run that is in time knows nothing of the limit."""

    def node(state: State) -> State:
        return {"value": "done"}

    graph = line_of(one=node, two=node)
    assert graph.invoke({}, timeout=30) == {"value": "done"}
    assert run(graph.ainvoke({}, timeout=30)) == {"value": "done"}


def test_many_steps(clock: LimitClock) -> None:
    """The limit is one for all steps, and no further one is started after it."""
    steps: List[int] = []

    def node(state: State) -> None:
        steps.append(1)
        clock.advance(LIMIT / 4)

    builder: Any = StateGraph(State)
    builder.add_node("node", node).add_edge(START, "node").add_conditional_edges("node", lambda state: "node")
    graph = builder.compile()
    with pytest.raises(RunTimeoutError):
        graph.invoke({}, {"recursion_limit": 10000}, timeout=LIMIT)
    assert 1 <= len(steps) <= 5


@pytest.mark.parametrize("asynchronous", [False, True])
def test_branch_that_takes_too_long(asynchronous: bool, clock: LimitClock) -> None:
    """A branch after a node counts as well, and so does one before the first node."""
    go_on = threading.Event()

    def slow(state: State) -> str:
        clock.advance(LIMIT)
        go_on.wait(PATIENCE)
        return END

    async def aslow(state: State) -> str:
        clock.advance(LIMIT)
        await asyncio.Event().wait()
        return END

    for source in ("node", START):
        builder: Any = StateGraph(State)
        builder.add_node("node", lambda state: None)
        if source != START:
            builder.add_edge(START, "node")
        builder.add_conditional_edges(source, aslow if asynchronous else slow, ["node", END])
        with pytest.raises(RunTimeoutError) as caught:
            if asynchronous:
                run(builder.compile().ainvoke({}, timeout=LIMIT))
            else:
                builder.compile().invoke({}, timeout=LIMIT)
        assert [task.node for task in caught.value.running] == [source]
    go_on.set()


def test_opening_that_takes_too_long() -> None:
    """A callback that is slow when the run begins counts as well."""
    from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler

    go_on = threading.Event()

    class Slow(BaseCallbackHandler):
        def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            go_on.wait(PATIENCE)

    class AsyncSlow(AsyncCallbackHandler):
        async def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
            await soon(go_on.is_set)

    graph = graph_of(node=lambda state: None)
    with pytest.raises(RunTimeoutError, match="no node was running"):
        graph.invoke({}, {"callbacks": [Slow()]}, timeout=LIMIT)

    async def main() -> None:
        with pytest.raises(RunTimeoutError, match="no node was running"):
            await graph.ainvoke({}, {"callbacks": [AsyncSlow()]}, timeout=LIMIT)

    run(main())
    go_on.set()


@pytest.mark.parametrize("maker", PRODUCERS)
def test_slow_consumer(maker: str, clock: LimitClock) -> None:
    """A consumer that comes too late gets what was made, then the error, though more could be made all the time."""
    made = TokenSource(100000)
    stream = graph_of(node=PRODUCERS[maker](made)).stream({}, stream_mode=MODES, max_buffer=3, timeout=LIMIT)
    seen = [text(next(stream))]
    eventually(lambda: stream.buffered >= 3)
    clock.advance(LIMIT)
    with pytest.raises(RunTimeoutError) as caught:
        seen.extend(map(text, stream))
    seen = cut_off(seen)
    assert seen == list(TokenSource(len(seen)).tokens())
    assert 4 <= len(seen) <= 6
    _check(caught.value, "node")
    eventually(lambda: made.ended == 1)


@pytest.mark.parametrize("maker", ASYNC)
def test_slow_consumer_async(maker: str, clock: LimitClock) -> None:
    """The same on an event loop."""
    made = TokenSource(100000)

    async def main() -> None:
        stream = graph_of(node=PRODUCERS[maker](made)).astream({}, stream_mode=MODES, max_buffer=3, timeout=LIMIT)
        seen = [text(await stream.__anext__())]
        await soon(lambda: stream.buffered >= 3)
        clock.advance(LIMIT)
        with pytest.raises(RunTimeoutError) as caught:
            async for chunk in stream:
                seen.append(text(chunk))
        seen = cut_off(seen)
        assert seen == list(TokenSource(len(seen)).tokens())
        assert 4 <= len(seen) <= 6
        _check(caught.value, "node")

    run(main())
    assert made.ended == 1


def test_consumer_that_comes_after_the_end(clock: LimitClock) -> None:
    """A run that was over in time is over, however late its last chunks are taken."""

    def node(state: State, writer: Any) -> State:
        for number in range(3):
            writer(number)
        return {"value": "done"}

    stream = graph_of(node=node).stream({}, stream_mode=["custom", "values"], timeout=LIMIT)
    seen = [next(stream)]
    eventually(lambda: stream._inbox._items.qsize() == 3)  # two chunks, and the end of the node
    clock.advance(2 * LIMIT)
    seen += stream
    assert seen[-1] == ("values", {"value": "done"})
    assert (stream.output, stream.status) == ({"value": "done"}, "done")


def test_limit_begins_with_the_first_pull(clock: LimitClock) -> None:
    """The time before the first pull does not count."""
    stream = graph_of(node=lambda state: {"value": "done"}).stream({}, timeout=LIMIT)
    clock.advance(2 * LIMIT)
    assert list(stream) == [{"node": {"value": "done"}}]


def test_model_in_a_thread_is_stopped() -> None:
    """A node in a thread ends at its next token."""
    ended: List[BaseException] = []

    def node(state: State, writer: Any) -> None:
        try:
            while True:
                writer(1)
                time.sleep(0.001)
        except StreamClosed as error:
            ended.append(error)
            raise

    with pytest.raises(RunTimeoutError):
        list(graph_of(node=node).stream({}, stream_mode="custom", timeout=LIMIT))
    eventually(lambda: ended)


def test_heartbeats_until_the_limit(clock: LimitClock) -> None:
    """Heartbeats come until the time is up."""
    seen: List[Any] = []

    def node(state: State, runtime: Runtime) -> None:
        runtime.stream_writer("first")
        for number in range(1, 5):
            eventually(lambda: len(seen) == number)
            clock.advance(LIMIT / 4)
        eventually(lambda: runtime.stopped)

    with pytest.raises(RunTimeoutError):
        seen.extend(graph_of(node=node).stream({}, stream_mode="custom", heartbeat=LIMIT / 5, timeout=LIMIT))
    assert seen[0] == "first"
    assert [type(chunk) for chunk in seen[1:]] == [Heartbeat] * 3


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_time_is_over_between_two_steps(driver: str, wide: bool, version: Any, clock: LimitClock) -> None:
    """A reader that takes its time finds the error of the limit, though nothing ran when it was reached."""
    ran: List[str] = []

    def first(state: State, runtime: Runtime) -> None:
        runtime.stream_writer("chunk")

    def second(state: State) -> None:
        ran.append("second")

    builder = StateGraph(State).add_node(first).add_node(second).add_edge(START, "first").add_edge("first", "second")
    if wide:
        builder.add_node("beside", lambda state: {}).add_edge(START, "beside").add_edge("beside", "second")
    graph = builder.compile()
    chunks: List[Any] = []
    options: Any = {"stream_mode": "custom", "timeout": LIMIT, "version": version}
    stream: Any = getattr(graph, driver)({"value": "?"}, **options)

    async def main() -> None:
        async for chunk in stream:
            chunks.append(chunk)
            await soon(lambda: not stream._clock._running(0))
            clock.advance(LIMIT)

    with pytest.raises(RunTimeoutError) as raised:
        if driver == "astream":
            run(main())
        else:
            for chunk in stream:
                chunks.append(chunk)
                eventually(lambda: not stream._clock._running(0))
                clock.advance(LIMIT)
    assert stream.status == "failed"
    assert ran == []
    # The chunk waited, and what had made it has ended meanwhile.
    assert raised.value.running == ()
    if version == "v2":
        assert [part["type"] for part in chunks] == ["custom", "error"]
        assert chunks[1]["data"].error is raised.value
    else:
        assert chunks == ["chunk"]
