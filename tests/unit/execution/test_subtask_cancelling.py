"""Cancelling tasks: by their futures, by a time limit on waiting for them, one by one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import Any, List

import pytest

from streamgraph.config import get_stream_writer
from streamgraph.errors import StreamClosed
from streamgraph.func import entrypoint, task
from support.endless import Forever
from support.leaks import no_complaint as no_complaint
from support.waiting import PATIENCE, eventually, soon
from support.workflows import DRIVERS, collect, finish


@pytest.mark.parametrize("driver", DRIVERS)
def test_wait_for(driver: str) -> None:
    """A time limit on an await cancels the task, which cleans up; the run goes on."""
    forever = Forever()
    call = task(name="call")(forever.node)

    @entrypoint()
    async def flow(given: str) -> str:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(call({}), 0.05)
        await soon(forever.is_over)
        return "went on"

    assert collect(flow, "?", driver) == [{"flow": "went on"}]
    assert forever.log == ["cancelled", "finally"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_cancel(driver: str) -> None:
    """`cancel` of a running async task ends it: whoever awaits it gets `CancelledError`, and it shows no update."""
    forever = Forever()
    call = task(name="call")(forever.node)

    @entrypoint()
    async def flow(given: str) -> List[Any]:
        future = call({})
        await soon(forever.started.is_set)
        assert future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        await soon(forever.is_over)
        return [future.cancelled(), future.done()]

    assert collect(flow, "?", driver) == [{"flow": [True, True]}]


@pytest.mark.parametrize("driver", DRIVERS)
def test_cancel_of_a_sync_task(driver: str) -> None:
    """A task in a thread ends at its next writer call; `result()` says that it was cancelled."""
    started, ended = threading.Event(), threading.Event()

    @task
    def write() -> None:
        writer = get_stream_writer()
        try:
            while True:
                writer("?")
                started.set()
                ended.wait(0.001)
        except StreamClosed:
            ended.set()
            raise

    @entrypoint()
    def flow(given: str) -> str:
        future = write()
        assert started.wait(PATIENCE)
        assert future.cancel()
        with pytest.raises(concurrent.futures.CancelledError):
            future.result()
        assert ended.wait(PATIENCE)
        return "went on"

    assert collect(flow, "?", driver) == [{"flow": "went on"}]


@pytest.mark.parametrize("driver", DRIVERS)
def test_cancel_too_late(driver: str) -> None:
    """A task that has ended cannot be cancelled, and keeps its result."""

    @task
    def work() -> str:
        return "done"

    @entrypoint()
    def flow(given: str) -> List[Any]:
        future = work()
        future.result()
        return [future.cancel(), future.cancelled(), future.result()]

    assert finish(flow, "?", driver) == [False, False, "done"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_cancel_before_it_began(kind: str, driver: str) -> None:
    """A task that is cancelled while it waits for its turn never runs, and those behind it do."""
    gate, calls = threading.Event(), []

    def work(number: int) -> int:
        calls.append(number)
        assert number or gate.wait(PATIENCE)
        return number

    async def awork(number: int) -> int:
        return await asyncio.get_running_loop().run_in_executor(None, work, number)

    call = task(work if kind == "sync" else awork)

    @entrypoint()
    def flow(size: int) -> List[int]:
        first, second, third = map(call, range(size))
        eventually(lambda: calls == [0])
        assert second.cancel()
        gate.set()
        return [first.result(), third.result()]

    assert finish(flow, 3, driver, config={"max_concurrency": 1}) == [0, 2]
    assert calls == [0, 2]


@pytest.mark.parametrize("driver", DRIVERS)
def test_cancel_leaves_siblings_alone(driver: str) -> None:
    """Only the task that is cancelled ends, with the tasks that it has called."""
    forever, other = Forever(), threading.Event()
    call = task(name="call")(forever.node)

    @task
    async def outer() -> Any:
        return await call({})

    @task
    def sibling() -> str:
        get_stream_writer()("still here")
        assert other.wait(PATIENCE)
        get_stream_writer()("still here")
        return "done"

    @entrypoint()
    async def flow(given: str) -> str:
        beside, future = sibling(), outer()
        await soon(forever.started.is_set)
        future.cancel()
        await soon(forever.is_over)
        other.set()
        return await beside

    chunks = collect(flow, "?", driver, stream_mode=["updates", "custom"])

    assert [chunk for chunk in chunks if chunk != ("custom", "started")] == [
        ("custom", "still here"),
        ("custom", "still here"),
        ("updates", {"sibling": "done"}),
        ("updates", {"flow": "done"}),
    ]


@pytest.mark.parametrize("driver", DRIVERS)
def test_task_that_is_cancelled_calls_no_more(driver: str) -> None:
    """What a cancelled task in a thread calls is not started."""
    gate, calls = threading.Event(), []

    @task
    def inner() -> None:
        calls.append("inner")

    @task
    def outer() -> None:
        calls.append("outer")
        assert gate.wait(PATIENCE)
        inner()

    @entrypoint()
    def flow(given: str) -> str:
        future = outer()
        eventually(lambda: calls == ["outer"])
        future.cancel()
        gate.set()
        return "over"

    assert finish(flow, "?", driver) == "over"
    assert calls == ["outer"]
