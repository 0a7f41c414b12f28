"""What was not yet begun when the stream was left, or when a neighbour failed, never begins, at whatever depth."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from typing import Any, Callable, Iterator, List, Tuple

import pytest

from scenarios.ending import ways_to_leave
from scenarios.ending.nested_graphs import (
    Births,
    as_node,
    awaited,
    called,
    gathered,
    in_tool,
    pulled,
    ran,
    streamed,
    threaded,
)
from streamgraph._streams.cancellation import CancelToken
from streamgraph.config import get_stream_writer
from streamgraph.runtime import get_runtime
from support.value_graphs import graph_of, line_of
from support.waiting import PATIENCE, eventually, run, soon

LEVELS = [as_node, awaited, streamed, gathered, in_tool, called, pulled, ran]


class NeighbourError(Exception):
    """What a neighbour raises."""


class Steps:
    """A graph of three steps, the first of which waits at a gate; `log` says which have begun."""

    def __init__(self, asynchronous: bool) -> None:
        self.log: List[str] = []
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.watched = threading.Event()
        self.passed = threading.Event()
        second = self.atwo if asynchronous else self.two
        self.graph = line_of(one=self.one, two=second, three=lambda state: self.log.append("three"))

    def one(self, state: Any) -> None:
        """Wait; a thread cannot be cancelled, so this goes on when the consumer has left."""
        self.log.append("one")
        get_stream_writer()("started")
        self.begun.set()
        assert self.gate.wait(PATIENCE)
        self.passed.set()

    def two(self, state: Any) -> None:
        """Tell that the step after has begun."""
        self.log.append("two")

    async def atwo(self, state: Any) -> None:
        """Tell that the step after has begun."""
        self.log.append("two")


class Levels:
    """Such a graph for each way of putting one graph into another."""

    def __init__(self, levels: List[Callable[[Any], Any]], asynchronous: bool) -> None:
        self._before = set(threading.enumerate())
        self._steps = {level: Steps(asynchronous) for level in levels}

    def __iter__(self) -> Iterator[Tuple[Steps, Any]]:
        for level, steps in self._steps.items():
            yield steps, level(steps.graph)

    def end(self) -> None:
        """Open the gates, wait until all threads are gone, and see that nothing more has begun."""
        for steps in self._steps.values():
            steps.gate.set()
            assert steps.passed.wait(PATIENCE)
        eventually(lambda: set(threading.enumerate()) <= self._before)
        begun = {level.__name__: steps.log for level, steps in self._steps.items()}
        assert begun == dict.fromkeys(begun, ["one"])


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("leave", [ways_to_leave.close, ways_to_leave.close_from_thread])
def test_sync_stream(leave: Callable[..., Any], asynchronous: bool) -> None:
    """No further step of a nested graph begins when a sync stream has been left."""
    levels = Levels(LEVELS, asynchronous)
    for _, node in levels:
        leave(graph_of(outer=node).stream({"value": "?"}, stream_mode="custom"), lambda: None)
    levels.end()


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("leave", [ways_to_leave.aclose, ways_to_leave.cancel])
def test_async_stream(leave: Callable[..., Any], asynchronous: bool) -> None:
    """Nor when an async stream has been left."""
    levels = Levels([*LEVELS, threaded], asynchronous)

    async def main() -> None:
        for steps, node in levels:
            await leave(graph_of(outer=node).astream({"value": "?"}, stream_mode="custom"), Births())
            steps.gate.set()
            await soon(steps.passed.is_set)

    run(main())
    levels.end()


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_failing_neighbour(asynchronous: bool, driver: str) -> None:
    """Nor when a node beside the nested graph has failed: the error is raised when the step that runs is over."""
    levels = Levels([*LEVELS, threaded], asynchronous)
    for steps, node in levels:
        graph = graph_of(outer=node, bad=failing_after(steps), opens=opening(steps))

        async def main() -> None:
            async for _ in graph.astream({"value": "?"}, stream_mode="custom"):
                pass

        with pytest.raises(NeighbourError):
            if driver == "stream":
                list(graph.stream({"value": "?"}, stream_mode="custom"))
            else:
                run(main())
    levels.end()


def failing_after(steps: Steps) -> Any:
    """A node that fails when the first step has begun, and somebody is there to open the gate."""

    def node(state: Any) -> None:
        assert steps.begun.wait(PATIENCE)
        assert steps.watched.wait(PATIENCE)
        raise NeighbourError

    return node


def opening(steps: Steps) -> Any:
    """A node that opens the gate when it is told to stop."""

    def node(state: Any) -> None:
        runtime = get_runtime()
        steps.watched.set()
        eventually(lambda: runtime.stopped)
        steps.gate.set()

    return node


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_calls_in_a_loop(driver: str) -> None:
    """A node that runs one graph after the other is stopped at the next one."""
    inner = graph_of(deep=lambda state: {"value": "!"})
    ended: List[BaseException] = []
    going = threading.Event()

    def node(state: Any) -> None:
        get_stream_writer()("started")
        try:
            while not going.is_set():
                inner.invoke(state)
        except BaseException as error:
            ended.append(error)
            raise

    try:
        ways_to_leave.close_either(graph_of(outer=node), driver)
        eventually(lambda: ended)
    finally:
        going.set()


def test_stop_while_work_begins() -> None:
    """The signal to stop can be given while threads begin new work below it: it fails nowhere, and reaches all."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(10):
            parent, made, over = CancelToken(), [], threading.Event()
            made += [CancelToken(parent) for _ in range(3000)]

            def begin(
                parent: CancelToken = parent, made: List[CancelToken] = made, over: threading.Event = over
            ) -> None:
                while not over.is_set():
                    made.append(CancelToken(parent))

            threads = [threading.Thread(target=begin) for _ in range(2)]
            for thread in threads:
                thread.start()
            try:
                parent.set()
            finally:
                over.set()
                for thread in threads:
                    thread.join()
            assert all(stop.is_set for stop in made)
    finally:
        sys.setswitchinterval(interval)


def test_close_while_graphs_start() -> None:
    """A stream can be closed while threads of its nodes open one nested graph after the other."""
    inner = graph_of(deep=lambda state: {"value": "!"})

    def node(state: Any) -> None:
        runtime = get_runtime()

        def work() -> None:
            streams: List[Any] = []
            while not runtime.stopped:
                streams.append(inner.stream({"value": "?"}))
                del streams[:-50]

        threads = [threading.Thread(target=contextvars.copy_context().run, args=(work,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        get_stream_writer()("started")
        for thread in threads:
            thread.join(PATIENCE)

    graph = graph_of(outer=node)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            ways_to_leave.close(graph.stream({"value": "?"}, stream_mode="custom"), lambda: None)
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("mode", ["values", "updates", "custom"])
def test_steps_of_the_stream_itself(mode: str) -> None:
    """A stream that is closed in another thread while a step runs begins no other one; its reader sees the end."""
    steps = Steps(False)
    stream = steps.graph.stream({"value": "?"}, stream_mode=mode)
    ends: List[Any] = []

    def read() -> None:
        try:
            ends.append([chunk for chunk in stream if chunk != "started"])
        except BaseException as error:
            ends.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert steps.begun.wait(PATIENCE)
    stream.close()
    steps.gate.set()
    reader.join(PATIENCE)
    assert ends == [[{"value": "?"}] if mode == "values" else []]
    assert steps.log == ["one"]


@pytest.mark.parametrize("mode", ["values", "updates", "custom"])
def test_steps_of_an_async_stream(mode: str) -> None:
    """So for one that another task closes."""
    steps = Steps(False)

    async def main() -> None:
        stream = steps.graph.astream({"value": "?"}, stream_mode=mode)

        async def read() -> List[Any]:
            return [chunk async for chunk in stream if chunk != "started"]

        reader = asyncio.ensure_future(read())
        await soon(steps.begun.is_set)
        await stream.aclose()
        assert await reader == ([{"value": "?"}] if mode == "values" else [])
        steps.gate.set()
        await soon(steps.passed.is_set)

    run(main())
    assert steps.log == ["one"]
