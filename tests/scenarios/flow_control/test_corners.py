"""Where holding a producer up could hold up its reader, or the interpreter: it does not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any, List

import pytest

from scenarios.flow_control.token_producers import MODES, Model, TokenSource, text
from streamgraph.config import get_stream_writer
from streamgraph.errors import NodeTimeoutError
from streamgraph.func import entrypoint, task
from streamgraph.graph import StateGraph
from streamgraph.types import RetryPolicy
from support.clocks import LimitClock
from support.value_graphs import State, graph_of, line_of
from support.waiting import PATIENCE, eventually, run, soon


def test_sync_model_on_the_readers_loop() -> None:
    """A model that an async node calls without awaiting it cannot be held up, so it goes beyond the limit."""
    made = TokenSource(50)

    async def node(state: State) -> None:
        Model(made=made).invoke("?")

    async def main() -> List[str]:
        return [text(chunk) async for chunk in graph_of(node=node).astream({}, stream_mode=MODES, max_buffer=2)]

    assert "".join(run(main())) == "".join(TokenSource(50).tokens())


def test_sync_graph_on_the_readers_loop() -> None:
    """A graph that an async node calls without awaiting it cannot be held up either, wherever its nodes run."""
    one, two = TokenSource(50), TokenSource(50)

    def first(state: State) -> None:
        Model(made=one).invoke("?")

    async def second(state: State) -> None:
        await Model(made=two).ainvoke("?")

    inner = graph_of(first=first, second=second)

    async def node(state: State) -> Any:
        return inner.invoke(state)

    async def main() -> int:
        stream = graph_of(node=node).astream({}, stream_mode=MODES, max_buffer=2)
        return len([chunk async for chunk in stream if text(chunk)])

    assert run(main()) == 100


def test_plain_writer_on_the_readers_loop() -> None:
    """The writer of an async node goes beyond the limit, and says nothing of it."""

    async def node(state: State) -> None:
        writer = get_stream_writer()
        for number in range(20):
            writer(number)

    async def main() -> List[int]:
        stream = graph_of(node=node).astream({}, stream_mode="custom", max_buffer=2)
        first = await stream.__anext__()
        return [first, stream.buffered, *[chunk async for chunk in stream]]

    assert run(main()) == [0, 19, *range(1, 20)]


def test_what_a_timed_out_attempt_holds_is_dropped(clock: LimitClock) -> None:
    """A part for which a node waits for room does not come after the node's attempt was given up."""
    attempts: List[int] = []

    def node(state: State, writer: Any) -> None:
        attempts.append(1)
        if len(attempts) > 1:
            writer("second")
            return
        for number in range(9):
            if number == 3:  # for which there is no room
                clock.advance(0.1)
            writer(number)

    builder: Any = StateGraph(State)
    policy = RetryPolicy(initial_interval=0, jitter=False, max_attempts=2)
    builder.add_node("node", node, timeout=0.1, retry_policy=policy).set_entry_point("node")
    stream = builder.compile().stream({}, stream_mode="custom", max_buffer=2)
    seen = [next(stream)]
    eventually(lambda: len(attempts) == 2)
    assert [*seen, *stream] == [0, 1, 2, "second"]


def test_node_timeout_while_held_up(clock: LimitClock) -> None:
    """A limit of a node counts while it waits for room."""
    cut_short = threading.Event()

    def node(state: State, writer: Any) -> None:
        try:
            for number in range(9):
                if number == 3:  # for which there is no room
                    clock.advance(0.1)
                writer(number)
        finally:
            cut_short.set()

    builder: Any = StateGraph(State)
    builder.add_node("node", node, timeout=0.1).set_entry_point("node")
    stream = builder.compile().stream({}, stream_mode="custom", max_buffer=2)
    next(stream)
    seen: List[Any] = []
    assert cut_short.wait(PATIENCE)
    with pytest.raises(NodeTimeoutError):
        seen.extend(stream)
    assert seen == [1, 2]


def test_stray_thread_is_let_go() -> None:
    """A thread that a node has left behind, and that waits for room, is let go when the run is over."""
    ended = threading.Event()

    def node(state: State, writer: Any) -> None:
        def stray() -> None:
            try:
                while True:
                    writer(1)
            except BaseException:
                ended.set()

        threading.Thread(target=stray, daemon=True).start()

    with graph_of(node=node).stream({}, stream_mode=["custom", "values"], max_buffer=1) as stream:
        next(stream)
    assert ended.wait(5)


def test_updates_of_nested_graphs_are_held_back() -> None:
    """The parts that an awaited nested graph itself makes wait for room as well."""
    steps: List[int] = []

    async def step(state: State) -> None:
        steps.append(1)

    inner = line_of(**{f"node{number}": step for number in range(20)})

    async def main() -> None:
        stream = graph_of(outer=inner).astream({}, stream_mode="updates", subgraphs=True, max_buffer=2)
        async for _ in stream:
            await asyncio.sleep(0.002)
            assert stream.buffered <= 2
        assert len(steps) == 20

    run(main())


@pytest.mark.slow
def test_interpreter_ends_with_a_stream_left_open() -> None:
    """A script that ends while a node waits for room ends."""
    script = """
from streamgraph.graph import StateGraph, START
def node(state, writer):
    for number in range(1000):
        writer(number)
builder = StateGraph(dict)
builder.add_node("node", node).add_edge(START, "node")
stream = builder.compile().stream({}, stream_mode="custom", max_buffer=2)
for chunk in stream:
    break
import time
while stream.buffered < 2:
    time.sleep(0.001)
time.sleep(0.05)
print("over")
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=150, check=False)
    assert (ran.stdout.strip(), ran.returncode) == (b"over", 0), ran.stderr


def test_loop_is_never_blocked() -> None:
    """While everything waits for room, the loop goes on."""
    made = TokenSource()

    async def main() -> None:
        async def node(state: State) -> None:
            await Model(made=made).ainvoke("?")

        async with graph_of(node=node).astream({}, stream_mode="messages", max_buffer=2) as stream:
            await stream.__anext__()
            await soon(lambda: made.count == 4)
            await asyncio.wait_for(asyncio.sleep(0.01), 5)
            assert made.count == 4

    run(main())


def test_tasks_of_a_workflow() -> None:
    """A workflow whose tasks make more than may wait comes to its end, on a thread and on a loop."""

    @task
    def step(number: int) -> int:
        get_stream_writer()(number)
        return number

    @task
    async def astep(number: int) -> int:
        return number

    @entrypoint()
    def workflow(given: int) -> int:
        return sum(future.result() for future in [step(number) for number in range(given)])

    @entrypoint()
    async def aworkflow(given: int) -> int:
        return sum(await asyncio.gather(*[astep(number) for number in range(given)]))

    options: Any = {"stream_mode": ["updates", "tasks", "custom"], "max_buffer": 1}
    with workflow.stream(20, **options) as stream:
        count = len(list(stream))
        assert stream.output == 190
    assert count >= 60

    async def main() -> Any:
        stream = aworkflow.astream(20, **options)
        assert len([chunk async for chunk in stream]) >= 40
        return stream.output

    assert run(main()) == 190
