"""`heartbeat=`: a sign of life while nothing comes, and only then; what comes late is undisturbed."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any, List

import pytest

from streamgraph.types import Heartbeat
from support.clocks import LimitClock
from support.value_graphs import State, graph_of, line_of
from support.waiting import PATIENCE, eventually, run, soon, threads

BEAT = 0.02


class Slow:
    """A node, sync or async, that waits until it may go on, and then says so."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def node(self, state: State, writer: Any) -> State:
        """Wait in a thread."""
        assert self.go_on.wait(PATIENCE)
        writer("late")
        return {"value": "done"}

    async def anode(self, state: State, writer: Any) -> State:
        """Wait on the loop."""
        await soon(self.go_on.is_set)
        writer("late")
        return {"value": "done"}


@pytest.mark.parametrize("name", ["node", "anode"])
@pytest.mark.parametrize("mode", ["custom", "updates"])
def test_beats_while_a_node_is_silent(name: str, mode: str) -> None:
    """Heartbeats come one after the other with what is running, and the chunk that comes late arrives once."""
    slow = Slow()
    beats: List[Heartbeat] = []
    rest: List[Any] = []
    with graph_of(slow=getattr(slow, name)).stream({}, stream_mode=mode, heartbeat=BEAT) as stream:
        for chunk in stream:
            (beats if isinstance(chunk, Heartbeat) else rest).append(chunk)
            if len(beats) >= 3 and beats[-1].running:
                slow.go_on.set()
    _check(beats)
    assert rest == (["late"] if mode == "custom" else [{"slow": {"value": "done"}}])
    assert stream.seq == len(beats) + 1


@pytest.mark.parametrize("name", ["node", "anode"])
@pytest.mark.parametrize("mode", ["custom", "updates"])
def test_beats_while_a_node_is_silent_async(name: str, mode: str) -> None:
    """The same on an event loop."""
    slow = Slow()
    beats: List[Heartbeat] = []
    rest: List[Any] = []

    async def main() -> None:
        stream = graph_of(slow=getattr(slow, name)).astream({}, stream_mode=mode, heartbeat=timedelta(seconds=BEAT))
        async for chunk in stream:
            (beats if isinstance(chunk, Heartbeat) else rest).append(chunk)
            if len(beats) >= 3 and beats[-1].running:
                slow.go_on.set()

    run(main())
    _check(beats)
    assert rest == (["late"] if mode == "custom" else [{"slow": {"value": "done"}}])


def _check(beats: List[Heartbeat]) -> None:
    assert len(beats) >= 3
    for number, beat in enumerate(beats, 1):
        assert beat.idle >= number * BEAT
        # On a busy machine one may come before the run has begun.
        for task in beat.running:
            assert (task.node, task.step) == ("slow", 1)
            assert 0 <= task.elapsed <= beat.idle
    assert len(beats[-1].running) == 1


def _beats_of(chunks: List[Any]) -> int:
    return sum(isinstance(chunk, Heartbeat) for chunk in chunks)


def test_no_beat_without_silence(clock: LimitClock) -> None:
    """A stream whose consumer never has to wait that long has no heartbeat, however slow the consumer is."""

    def node(state: State, writer: Any) -> None:
        for number in range(5):
            writer(number)

    with graph_of(node=node).stream({}, stream_mode="custom", heartbeat=30) as stream:
        assert list(stream) == [0, 1, 2, 3, 4]
    with graph_of(node=node).stream({}, stream_mode="custom", heartbeat=BEAT) as stream:
        chunks = [next(stream)]
        clock.advance(2 * BEAT)
        chunks += stream
    assert _beats_of(chunks) == 0
    assert chunks == [0, 1, 2, 3, 4]


def test_shapes() -> None:
    """A heartbeat has the shape of the other chunks, and the empty namespace."""

    def first(version: Any, modes: Any, subgraphs: Any) -> Any:
        slow = Slow()
        options = {"stream_mode": modes, "subgraphs": subgraphs, "version": version, "heartbeat": BEAT}
        with graph_of(slow=slow.node).stream({}, **options) as stream:
            chunk = next(stream)
            slow.go_on.set()
            for _ in stream:
                pass
        return chunk

    assert isinstance(first("v1", "custom", None), Heartbeat)
    mode, beat = first("v1", ["custom", "updates"], None)
    assert (mode, type(beat)) == ("heartbeat", Heartbeat)
    ns, mode, beat = first("v1", ["custom"], True)
    assert (ns, mode, type(beat)) == ((), "heartbeat", Heartbeat)
    part = first("v2", "custom", None)
    assert (part["type"], part["ns"], type(part["data"])) == ("heartbeat", (), Heartbeat)


def test_beats_with_printing(capsys: pytest.CaptureFixture[str]) -> None:
    """Heartbeats are not printed, and are yielded all the same."""
    slow = Slow()
    with graph_of(slow=slow.node).stream({}, stream_mode="updates", print_mode="values", heartbeat=BEAT) as stream:
        assert isinstance(next(stream), Heartbeat)
        slow.go_on.set()
        assert [chunk for chunk in stream if not isinstance(chunk, Heartbeat)] == [{"slow": {"value": "done"}}]
    assert "heartbeat" not in capsys.readouterr().out.lower()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_beats_of_nested_graphs(asynchronous: bool) -> None:
    """While a nested graph is silent, the stream says that the node is running in which it runs."""
    slow = Slow()
    graph = graph_of(outer=graph_of(slow=slow.anode if asynchronous else slow.node))
    beats: List[Any] = []

    def take(chunk: Any) -> None:
        beats.append(chunk)
        if isinstance(chunk, Heartbeat) and chunk.running:
            slow.go_on.set()

    async def main() -> None:
        async for chunk in graph.astream({}, stream_mode="custom", heartbeat=BEAT):
            take(chunk)

    if asynchronous:
        run(main())
    else:
        for chunk in graph.stream({}, stream_mode="custom", heartbeat=BEAT):
            take(chunk)
    assert {task.node for beat in beats[:-1] for task in beat.running} == {"outer"}
    assert beats[-1] == "late"


def test_running_tasks_of_a_step() -> None:
    """A heartbeat names every task that runs, and none that has ended."""
    one, two = Slow(), Slow()
    with graph_of(one=one.node, two=two.node).stream({}, stream_mode="updates", heartbeat=BEAT) as stream:
        while {task.node for task in next(stream).running} != {"one", "two"}:
            pass
        one.go_on.set()
        while isinstance(next(stream), Heartbeat):
            pass
        assert [task.node for task in next(stream).running] == ["two"]
        two.go_on.set()


def test_nothing_is_left() -> None:
    """After the stream there is neither a timer nor a thread."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        slow = Slow()
        stream = graph_of(slow=slow.anode).astream({}, stream_mode="updates", heartbeat=1000, timeout=2000)
        asyncio.get_running_loop().call_later(0.02, slow.go_on.set)
        assert [chunk async for chunk in stream] == [{"slow": {"value": "done"}}]
        timers = [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        assert timers == []

    before = threads()
    run(main())
    assert threads() <= before


@pytest.mark.parametrize("asynchronous", [False, True])
def test_beats_on_the_way_through_steps(asynchronous: bool) -> None:
    """What a node returns and what the next one gets is as without heartbeats."""

    def one(state: State) -> State:
        eventually(lambda: _beats_of(chunks) >= 1)
        return {"value": "1"}

    def two(state: State) -> State:
        eventually(lambda: _beats_of(chunks) >= 2)
        return {"value": state["value"] + "2"}

    graph = line_of(one=one, two=two)
    chunks: List[Any] = []

    async def main() -> None:
        async for chunk in graph.astream({}, heartbeat=BEAT):
            chunks.append(chunk)

    if asynchronous:
        run(main())
    else:
        chunks.extend(graph.stream({}, heartbeat=BEAT))
    assert [chunk for chunk in chunks if not isinstance(chunk, Heartbeat)] == [
        {"one": {"value": "1"}},
        {"two": {"value": "12"}},
    ]
    assert _beats_of(chunks) >= 2


def test_close_while_it_beats() -> None:
    """A stream that is left between heartbeats stops the node."""
    log: List[str] = []

    async def node(state: State) -> None:
        log.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            log.append("cancelled")

    async def main() -> None:
        async with graph_of(node=node).astream({}, heartbeat=BEAT) as stream:
            while not log:
                assert isinstance(await stream.__anext__(), Heartbeat)

    run(main())
    assert log == ["begun", "cancelled"]
    with graph_of(node=node).stream({}, heartbeat=BEAT) as stream:
        while len(log) < 3:
            assert isinstance(next(stream), Heartbeat)
    assert log == ["begun", "cancelled"] * 2
