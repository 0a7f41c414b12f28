"""A lone node runs in the place of whoever awaits it: cancelling the awaiting task returns at once and leaves nothing.

A sync node is in a thread meanwhile, which cannot be stopped; nobody waits for it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import Any, Callable, Iterator, List

import anyio
import pytest

from streamgraph._drivers.workers import RunThreads
from streamgraph.errors import StreamClosed
from streamgraph.graph import START, StateGraph
from streamgraph.runtime import Runtime
from support.value_graphs import State, graph_of, line_of
from support.waiting import PATIENCE, eventually, run, threads


class Gate:
    """A sync node that waits at a gate; `log` is what became of it."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.open = threading.Event()
        self.log: List[str] = []

    def node(self, state: State, runtime: Runtime) -> State:
        """Wait until the gate opens."""
        self.started.set()
        self.open.wait(PATIENCE * 4)
        self.log.append("told to stop" if runtime.stopped else "not told")
        return {"value": "through"}

    async def has_started(self) -> None:
        """Wait until the node runs."""
        await asyncio.get_running_loop().run_in_executor(None, self.started.wait, PATIENCE)
        assert self.started.is_set()

    def ends(self) -> None:
        """Open the gate and wait until the node has ended."""
        assert self.log == []
        self.open.set()
        eventually(lambda: self.log)
        eventually(lambda: not threads())


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate, which is open in the end whatever happens."""
    made = Gate()
    yield made
    made.open.set()


async def invoke(graph: Any) -> Any:
    """By `ainvoke`."""
    return await graph.ainvoke({"value": "?"})


async def invoke_with_modes(graph: Any) -> Any:
    """By `ainvoke`, for a list of chunks."""
    return await graph.ainvoke({"value": "?"}, stream_mode=["updates", "values"])


async def read(graph: Any) -> Any:
    """By reading the updates."""
    return [chunk async for chunk in graph.astream({"value": "?"}, stream_mode="updates")]


async def read_values(graph: Any) -> Any:
    """By reading the states, the first of which is delivered before the node runs."""
    return [chunk async for chunk in graph.astream({"value": "?"}, stream_mode="values")]


async def read_in_block(graph: Any) -> Any:
    """By reading the updates in an `async with` block."""
    async with graph.astream({"value": "?"}, stream_mode="updates") as stream:
        return [chunk async for chunk in stream]


async def read_live(graph: Any) -> Any:
    """By reading a live mode, in which the node does not run in place: it looks the same."""
    return [chunk async for chunk in graph.astream({"value": "?"}, stream_mode=["updates", "custom"])]


AWAITED = [invoke, invoke_with_modes, read, read_values, read_in_block, read_live]
awaited = pytest.mark.parametrize("how", AWAITED)


def alone(node: Any) -> Any:
    """A graph of this node."""
    return graph_of(work=node)


def second(node: Any) -> Any:
    """A graph whose second node this is."""
    return line_of(first=lambda state: None, work=node)


def nested(node: Any) -> Any:
    """A graph in which this is the only node of a nested graph."""
    return graph_of(outer=graph_of(work=node))


def called(node: Any) -> Any:
    """A graph with a node that awaits a graph of this node."""
    inner = graph_of(work=node)

    async def call(state: State) -> Any:
        return await inner.ainvoke(state)

    return graph_of(outer=call)


PLACES = [alone, second, nested, called]


@pytest.mark.parametrize("place", PLACES)
@awaited
def test_cancelled(gate: Gate, how: Callable[[Any], Any], place: Callable[[Any], Any]) -> None:
    """The task that awaits is cancelled while the node runs: it ends at once, by `CancelledError`; no task is left."""
    graph = place(gate.node)

    async def main() -> None:
        others = asyncio.all_tasks()
        task = asyncio.create_task(how(graph))
        await gate.has_started()
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=PATIENCE)
        assert done == {task}
        assert gate.log == []
        assert task.cancelled()
        assert asyncio.all_tasks() == others

    run(main())
    gate.ends()
    assert gate.log == ["told to stop"]


@awaited
def test_cancelled_while_the_loop_is_late(how: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancellation from a node in a thread is noticed also if the node ends before the loop waits for its end."""
    monkeypatch.setattr(RunThreads, "start", lambda self, function, *args: function(*args))
    tasks: List[Any] = []

    def node(state: State) -> State:
        tasks[0].get_loop().call_soon_threadsafe(tasks[0].cancel)
        return {"value": "through"}

    async def main() -> None:
        tasks.append(asyncio.create_task(how(alone(node))))
        await asyncio.wait(tasks)
        assert tasks[0].cancelled()

    run(main())


@awaited
def test_cancelled_again_and_again(gate: Gate, how: Callable[[Any], Any]) -> None:
    """It makes no difference how often it is cancelled, as anyio does it."""

    async def main() -> None:
        task = asyncio.create_task(how(alone(gate.node)))
        await gate.has_started()
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        done, _ = await asyncio.wait({task}, timeout=PATIENCE)
        assert done == {task}
        assert task.cancelled()
        assert gate.log == []

    run(main())
    gate.ends()


@awaited
def test_timed_out(gate: Gate, how: Callable[[Any], Any]) -> None:
    """A time limit of asyncio's ends the wait when it is over."""

    async def main() -> None:
        task = asyncio.create_task(how(alone(gate.node)))
        await gate.has_started()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(task, 0.01)
        assert gate.log == []

    run(main())
    gate.ends()


@awaited
def test_cancelled_scope(gate: Gate, how: Callable[[Any], Any]) -> None:
    """So does an anyio scope, and what comes after it runs on, uncancelled."""

    async def main() -> None:
        with anyio.CancelScope() as scope:
            asyncio.get_running_loop().call_soon(_cancel_when_started, gate, scope)
            await how(alone(gate.node))
        assert scope.cancelled_caught
        assert gate.log == []
        await asyncio.sleep(0)
        if sys.version_info >= (3, 11):
            assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]

    run(main())
    gate.ends()


def _cancel_when_started(gate: Gate, scope: Any) -> None:
    if gate.started.is_set():
        scope.cancel()
    else:
        asyncio.get_running_loop().call_later(0.001, _cancel_when_started, gate, scope)


def test_stream_is_over_after_that(gate: Gate) -> None:
    """The stream whose reader was cancelled is at its end."""

    async def main() -> None:
        stream = alone(gate.node).astream({"value": "?"}, stream_mode="updates")
        task = asyncio.ensure_future(stream.__anext__())
        await gate.has_started()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert gate.log == []
        with pytest.raises(StopAsyncIteration):
            await stream.__anext__()
        with pytest.raises(RuntimeError):
            _ = stream.output
        await stream.aclose()

    run(main())
    gate.ends()


def test_writer_of_an_abandoned_node(gate: Gate) -> None:
    """The node learns at its next writer call that nobody is interested any more."""
    raised: List[BaseException] = []

    def node(state: State, writer: Any, runtime: Runtime) -> None:
        try:
            gate.node(state, runtime)
            writer("after")
        except BaseException as error:
            raised.append(error)
            raise

    async def main() -> None:
        task = asyncio.create_task(invoke(alone(node)))
        await gate.has_started()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    gate.ends()
    eventually(lambda: raised)
    assert [type(error) for error in raised] == [StreamClosed]


def test_graph_can_run_again(gate: Gate) -> None:
    """A graph that was left can run again, while what was left behind still runs."""
    gates = [gate, Gate()]
    graph = alone(lambda state, runtime: gates[state["value"]].node(state, runtime))

    async def main() -> None:
        task = asyncio.create_task(graph.ainvoke({"value": 0}))
        await gate.has_started()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gates[1].open.set()
        assert await graph.ainvoke({"value": 1}) == {"value": "through"}
        assert gate.log == []

    run(main())
    gate.ends()


# --- nodes that do not let themselves be cancelled --------------------------------------------------------------


class Stubborn:
    """An async node that swallows its cancellation."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.swallowed = 0

    async def node(self, state: State) -> State:
        """Wait for a cancellation, and go on."""
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.swallowed += 1
        return {"value": "went on"}


@pytest.mark.parametrize("how", [invoke, read])
def test_swallowed(how: Callable[[Any], Any]) -> None:
    """A node that swallows the cancellation lets the run go on to its end."""

    async def main() -> None:
        stubborn = Stubborn()
        seen: List[Any] = []
        graph = line_of(first=stubborn.node, then=lambda state: seen.append(state["value"]))
        task = asyncio.create_task(how(graph))
        await stubborn.started.wait()
        task.cancel()
        result = await asyncio.wait_for(task, PATIENCE)
        assert (stubborn.swallowed, seen) == (1, ["went on"])
        assert result == ({"value": "went on"} if how is invoke else [{"first": {"value": "went on"}}, {"then": None}])

    run(main())


def after_stubborn(stubborn: Stubborn, **nodes: Any) -> Any:
    """A graph in which these nodes run at once, after the stubborn one."""
    builder = StateGraph(State).add_node("first", stubborn.node).add_edge(START, "first")
    for name, node in nodes.items():
        builder.add_node(name, node).add_edge("first", name)
    return builder.compile()


@pytest.mark.parametrize("how", [invoke, read])
def test_swallowed_before_a_sibling_fails(gate: Gate, how: Callable[[Any], Any]) -> None:
    """After that, a failure waits as ever for the thread of a sibling, which is told to stop."""

    def slow(state: State, runtime: Runtime) -> None:
        gate.started.set()
        eventually(lambda: runtime.stopped)
        time.sleep(0.05)  # so that it shows whether its end is waited for
        gate.log.append("told to stop")

    async def bad(state: State) -> None:
        await gate.has_started()
        raise KeyError("mine")

    async def main() -> None:
        stubborn = Stubborn()
        task = asyncio.create_task(how(after_stubborn(stubborn, bad=bad, slow=slow)))
        await stubborn.started.wait()
        task.cancel()
        with pytest.raises(KeyError, match="mine"):
            await asyncio.wait_for(task, PATIENCE)
        assert stubborn.swallowed == 1
        assert gate.log == ["told to stop"]

    run(main())


def test_swallowed_before_an_async_sibling_is_cancelled() -> None:
    """An async sibling is cancelled, and has cleaned up when the error is raised."""
    log: List[str] = []

    async def main() -> None:
        stubborn, waiting = Stubborn(), asyncio.Event()

        async def bad(state: State) -> None:
            await waiting.wait()
            raise KeyError("mine")

        async def endless(state: State) -> None:
            waiting.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                log.append("cleaned up")

        task = asyncio.create_task(invoke(after_stubborn(stubborn, bad=bad, endless=endless)))
        await stubborn.started.wait()
        task.cancel()
        with pytest.raises(KeyError, match="mine"):
            await asyncio.wait_for(task, PATIENCE)
        assert log == ["cleaned up"]

    run(main())


def test_swallowed_before_a_sync_node_that_is_cancelled(gate: Gate) -> None:
    """A later cancellation, while a sync node runs, ends the run at once as it would have without the first."""

    async def main() -> None:
        stubborn = Stubborn()
        task = asyncio.create_task(invoke(line_of(first=stubborn.node, work=gate.node)))
        await stubborn.started.wait()
        task.cancel()
        await gate.has_started()
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=PATIENCE)
        assert done == {task}
        assert task.cancelled()
        assert gate.log == []

    run(main())
    gate.ends()
