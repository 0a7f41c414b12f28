"""The futures of tasks: they can be waited for like any other, from sync and async code."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from typing import Any, List

import pytest

from streamgraph.errors import ErrorLocation, NodeCancelledError, location_of
from streamgraph.func import entrypoint, task
from support.leaks import no_complaint as no_complaint
from support.waiting import PATIENCE
from support.workflows import DRIVERS, KINDS, collect, finish, of_kind


class CustomError(Exception):
    """An exception of the user's."""


def doubler(kind: str) -> Any:
    """A task that doubles a number."""

    def double(number: int) -> int:
        return 2 * number

    async def adouble(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    return task(
        double if kind == "sync" else adouble,
    )


def failing(error: BaseException, kind: str) -> Any:
    """A task that fails."""

    def fail() -> None:
        raise error

    async def afail() -> None:
        raise error

    return task(name="fail")(fail if kind == "sync" else afail)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_result(kind: str, driver: str) -> None:
    """In sync code `result()` waits, whether the task is sync or async."""
    double = doubler(kind)

    @entrypoint()
    def flow(number: int) -> List[Any]:
        future = double(number)
        assert isinstance(future, concurrent.futures.Future)
        return [future.result(), future.result(), future.done(), future.exception()]

    assert finish(flow, 2, driver) == [4, 4, True, None]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_await(kind: str, driver: str) -> None:
    """In async code a future is awaited, as often as one likes; then it has its result."""
    double = doubler(kind)

    @entrypoint()
    async def flow(number: int) -> List[Any]:
        future = double(number)
        return [await future, await future, future.result(), future.done()]

    assert finish(flow, 2, driver) == [4, 4, 4, True]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_result_on_the_loop(kind: str, driver: str) -> None:
    """Asking for a result that is not there yet does not block the loop for good: it is an error, as in asyncio."""
    double = doubler(kind)

    @entrypoint()
    async def flow(number: int) -> int:
        future = double(number)
        try:
            return future.result()
        except (asyncio.InvalidStateError, concurrent.futures.InvalidStateError, RuntimeError):
            return await future

    assert finish(flow, 2, driver) == 4


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_gather(kind: str, driver: str) -> None:
    """Results come in the order of the calls."""
    double = doubler(kind)

    @entrypoint()
    async def flow(size: int) -> List[int]:
        return list(await asyncio.gather(*map(double, range(size))))

    assert finish(flow, 4, driver) == [0, 2, 4, 6]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_asyncio_knows_the_futures(kind: str, driver: str) -> None:
    """The functions of asyncio that take futures take these."""
    double = doubler(kind)

    @entrypoint()
    async def flow(size: int) -> List[Any]:
        completed = [await future for future in asyncio.as_completed(list(map(double, range(size))))]
        futures = [asyncio.ensure_future(double(7)), asyncio.shield(double(8))]
        done, pending = await asyncio.wait(futures)
        return [sorted(completed), sorted(future.result() for future in done), len(pending)]

    assert finish(flow, 3, driver) == [[0, 2, 4], [14, 16], 0]


@pytest.mark.parametrize("driver", DRIVERS)
def test_asyncio_wait(driver: str) -> None:
    """`asyncio.wait` takes the futures as they are, as it takes LangGraph's."""

    @task
    async def wait_for(event: Any) -> str:
        await event.wait()
        return "done"

    @entrypoint()
    async def flow(given: Any) -> List[Any]:
        first, second = asyncio.Event(), asyncio.Event()
        one, two = wait_for(first), wait_for(second)
        first.set()
        begun = time.monotonic()
        done, pending = await asyncio.wait([one, two], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert time.monotonic() - begun < PATIENCE / 2
        counts = (len(done), len(pending))
        second.set()
        return [counts, await two]

    assert finish(flow, "?", driver) == [(1, 1), "done"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_concurrent_futures_knows_the_futures(kind: str, driver: str) -> None:
    """`as_completed` and `wait` of concurrent.futures give the futures back as they end."""
    first_ended = threading.Event()

    def work(number: int) -> int:
        if number:
            assert first_ended.wait(PATIENCE)
        return number

    call = task(of_kind(work, kind))

    @entrypoint()
    def flow(size: int) -> List[Any]:
        futures = list(map(call, reversed(range(size))))
        early, late = concurrent.futures.wait(futures, PATIENCE, concurrent.futures.FIRST_COMPLETED)
        counts = (len(early), len(late))
        first_ended.set()
        completed = [future.result() for future in concurrent.futures.as_completed(futures, PATIENCE)]
        return [counts, completed[0], sorted(completed), early <= set(futures)]

    assert finish(flow, 3, driver) == [(1, 2), 0, [0, 1, 2], True]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_callback(kind: str, driver: str) -> None:
    """A callback of a future is called when the task has ended."""
    double, seen = doubler(kind), threading.Event()

    @entrypoint()
    def flow(number: int) -> int:
        future = double(number)
        future.add_done_callback(lambda ended: ended.result() == 4 and seen.set())
        return future.result()

    assert finish(flow, 2, driver) == 4
    assert seen.wait(PATIENCE)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_result_that_takes_too_long(kind: str, driver: str) -> None:
    """Waiting can be given up; the task goes on, and its update arrives."""
    gate = threading.Event()

    def work() -> str:
        assert gate.wait(PATIENCE)
        return "late"

    call = task(of_kind(work, kind))

    @entrypoint()
    def flow(given: str) -> str:
        future = call()
        with pytest.raises(concurrent.futures.TimeoutError):
            future.result(timeout=0.01)
        gate.set()
        return "not waited for"

    assert collect(flow, "?", driver) == [{"work": "late"}, {"flow": "not waited for"}]


# Failures


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_error(kind: str, driver: str) -> None:
    """What a task raises leaves the run as the very object, which knows the task; its notes name both levels."""
    error = CustomError("no")
    fail = failing(error, kind)

    @entrypoint()
    def flow(given: str) -> None:
        fail().result()

    with pytest.raises(CustomError) as caught:
        finish(flow, "?", driver)

    assert caught.value is error
    assert location_of(error) == ErrorLocation("fail", 0, ())
    notes = error.__notes__  # type: ignore[attr-defined]
    assert ["'fail'" in notes[0], "'flow'" in notes[1], len(notes)] == [True, True, 2]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_error_that_is_caught(kind: str, driver: str) -> None:
    """Caught where the result is asked for it is the very object, each time, and the run goes on."""
    error = CustomError("no")
    fail = failing(error, kind)

    @entrypoint()
    async def flow(given: str) -> str:
        future = fail()
        for _ in range(2):
            with pytest.raises(CustomError) as caught:
                await future
            assert caught.value is error
        assert future.exception() is error
        assert location_of(error) == ErrorLocation("fail", 0, ())
        return "went on"

    assert collect(flow, "?", driver) == [{"flow": "went on"}]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_stop_iteration(kind: str, driver: str) -> None:
    """A `StopIteration` of a task is an error like any other, not the end of something."""
    error = StopIteration("mine")

    def stop() -> None:
        raise error

    async def astop() -> None:
        stop()

    call = task(stop if kind == "sync" else astop)

    @entrypoint()
    def flow(given: str) -> None:
        call().result()

    with pytest.raises(RuntimeError) as caught:
        finish(flow, "?", driver)
    assert "StopIteration" in str(caught.value)


@pytest.mark.parametrize("driver", DRIVERS)
def test_cancelled_error_of_a_task(driver: str) -> None:
    """A task that raises `CancelledError` though nobody has cancelled it has failed, with a typed error."""
    fail = failing(asyncio.CancelledError(), "async")

    @entrypoint()
    async def flow(given: str) -> None:
        await fail()

    with pytest.raises(NodeCancelledError) as caught:
        finish(flow, "?", driver)
    assert caught.value.node == "fail"


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_failure_cancels_async_siblings(kind: str, driver: str) -> None:
    """When a failure ends the entrypoint, what still runs beside it is cancelled and has cleaned up."""
    log: List[str] = []
    started = threading.Event()
    error = CustomError("no")

    @task
    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            log.append("cleaned up")

    def fail() -> None:
        assert started.wait(PATIENCE)
        raise error

    bad = task(of_kind(fail, kind))

    @entrypoint()
    async def flow(given: str) -> None:
        await asyncio.gather(endless(), bad())

    with pytest.raises(CustomError) as caught:
        finish(flow, "?", driver)
    assert caught.value is error
    assert log == ["cleaned up"]


# Tasks that nobody waits for


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_not_awaited(kind: str, asynchronous: bool, driver: str) -> None:
    """A task that nobody waits for is waited for by the run, and comes before the entrypoint's update."""
    returning = threading.Event()

    def work() -> str:
        assert returning.wait(PATIENCE)
        return "done"

    call = task(of_kind(work, kind))

    def body(given: str) -> str:
        call()
        returning.set()
        return "returned"

    async def abody(given: str) -> str:
        return body(given)

    flow = entrypoint()(abody if asynchronous else body)
    name = "abody" if asynchronous else "body"

    assert collect(flow, "?", driver) == [{"work": "done"}, {name: "returned"}]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_not_awaited_and_failing(kind: str, driver: str) -> None:
    """The failure of a task that nobody waits for is in the stream, and fails nothing."""
    error = CustomError("no")
    fail = failing(error, kind)

    @entrypoint()
    async def flow(given: str) -> str:
        fail()
        return "fine"

    chunks = collect(flow, "?", driver, stream_mode=["tasks", "values"])

    results = [data for mode, data in chunks if mode == "tasks" and "result" in data]
    assert [(data["name"], data["error"]) for data in results] == [("fail", error), ("flow", None)]
    assert chunks[-1] == ("values", "fine")
