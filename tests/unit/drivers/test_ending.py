"""Leaving a stream early stops the work behind it, whichever way it is left, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any, Callable, List

import anyio
import pytest

from streamgraph.config import get_stream_writer
from streamgraph.errors import StreamClosed
from streamgraph.runtime import get_runtime
from support.endless import PLACES, Forever, stopped_request
from support.value_graphs import graph_of, line_of
from support.waiting import PATIENCE, eventually, run, soon

# Ways to leave: each takes a graph and options, reads one chunk, and leaves. They never return the stream.


def close(graph: Any, **options: Any) -> None:
    """By `close`."""
    stream = graph.stream({"value": "?"}, **options)
    next(stream)
    stream.close()


def leave_block(graph: Any, **options: Any) -> None:
    """By leaving a `with` block."""
    with graph.stream({"value": "?"}, **options) as stream:
        for _ in stream:
            break


def fail_in_block(graph: Any, **options: Any) -> None:
    """By an exception in a `with` block."""
    with pytest.raises(ZeroDivisionError), graph.stream({"value": "?"}, **options) as stream:
        for _ in stream:
            1 / 0  # noqa: B018


def drop(graph: Any, **options: Any) -> None:
    """By breaking out of the loop and forgetting the stream."""
    for _ in graph.stream({"value": "?"}, **options):
        break
    gc.collect()


def wrap(graph: Any, **options: Any) -> None:
    """By closing a generator around the stream."""

    def events() -> Any:
        yield from graph.stream({"value": "?"}, **options)

    generator = events()
    next(generator)
    generator.close()


BLOCKING = [close, leave_block, fail_in_block, drop, wrap]


async def aclose(graph: Any, **options: Any) -> None:
    """By `aclose`."""
    stream = graph.astream({"value": "?"}, **options)
    async for _ in stream:
        break
    await stream.aclose()


async def leave_async_block(graph: Any, **options: Any) -> None:
    """By leaving an `async with` block."""
    async with graph.astream({"value": "?"}, **options) as stream:
        async for _ in stream:
            break


async def fail_in_async_block(graph: Any, **options: Any) -> None:
    """By an exception in an `async with` block."""
    with pytest.raises(ZeroDivisionError):
        async with graph.astream({"value": "?"}, **options) as stream:
            async for _ in stream:
                1 / 0  # noqa: B018


async def cancel(graph: Any, **options: Any) -> None:
    """By cancelling the task that reads."""
    reading = asyncio.Event()

    async def read() -> None:
        async for _ in graph.astream({"value": "?"}, **options):
            reading.set()

    task = asyncio.create_task(read())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def time_out(graph: Any, **options: Any) -> None:
    """By a time limit on a chunk that never comes."""
    stream = graph.astream({"value": "?"}, **options)
    await stream.__anext__()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(_exhaust(stream), 0.01)
    with pytest.raises(StopAsyncIteration):
        await stream.__anext__()


async def cancel_scope(graph: Any, **options: Any) -> None:
    """By cancelling an anyio scope."""
    with anyio.CancelScope() as scope:
        async for _ in graph.astream({"value": "?"}, **options):
            scope.cancel()
    assert scope.cancel_called


async def fail_in_task_group(graph: Any, **options: Any) -> None:
    """By the failure of a neighbour in an anyio task group."""
    reading = anyio.Event()

    async def read() -> None:
        async for _ in graph.astream({"value": "?"}, **options):
            reading.set()

    with pytest.raises(BaseException) as caught:
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await reading.wait()
            raise ZeroDivisionError
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]  # type: ignore[attr-defined]


async def drop_async(graph: Any, **options: Any) -> None:
    """By breaking out of the loop and forgetting the stream."""
    async for _ in graph.astream({"value": "?"}, **options):
        break
    gc.collect()


async def wrap_async(graph: Any, **options: Any) -> None:
    """By closing an async generator around the stream."""

    async def events() -> Any:
        async for chunk in graph.astream({"value": "?"}, **options):
            yield chunk

    generator = events()
    await generator.__anext__()
    await generator.aclose()


WAITING = [aclose, leave_async_block, fail_in_async_block, cancel, time_out, fail_in_task_group]
# A scope cancels every wait inside it, that for the nodes to end included; the others do not wait in the first place.
NOT_WAITING = [cancel_scope, drop_async, wrap_async]


async def _exhaust(stream: Any) -> None:
    async for _ in stream:
        pass


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("leave", BLOCKING)
def test_sync_stream_cancels_async_nodes(leave: Callable[..., None], place: str) -> None:
    """Async nodes of a sync stream are cancelled and clean up, wherever they run."""
    forever = Forever()

    leave(forever.graphs()[place], stream_mode="custom")

    eventually(forever.is_over)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("leave", WAITING)
def test_async_stream_cancels_async_nodes(leave: Callable[..., Any], place: str) -> None:
    """Async nodes have been cancelled and have cleaned up by the time the stream is left, wherever they run."""
    forever = Forever()

    async def main() -> None:
        await leave(forever.graphs()[place], stream_mode="custom")
        assert forever.is_over()

    run(main())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("leave", NOT_WAITING)
def test_async_stream_cancels_async_nodes_soon(leave: Callable[..., Any], place: str) -> None:
    """A stream that cannot wait for the end of its nodes cancels them all the same."""
    forever = Forever()

    async def main() -> None:
        await leave(forever.graphs()[place], stream_mode="custom")
        await soon(forever.is_over)

    run(main())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("scope", [False, True])
def test_node_that_runs_in_place_is_cancelled(scope: bool, place: str) -> None:
    """Where no mode needs nodes to run on the side, cancelling the reader cancels them all the same."""
    forever = Forever()

    async def main() -> None:
        cancelled = anyio.CancelScope()

        async def read() -> None:
            with cancelled:
                await _exhaust(forever.graphs()[place].astream({"value": "?"}, stream_mode="values"))

        task = asyncio.create_task(read())
        await soon(forever.started.is_set)
        if scope:
            cancelled.cancel()
        else:
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() is not scope
        await soon(forever.is_over)

    run(main())


@pytest.mark.parametrize("mode", ["custom", "values"])
@pytest.mark.parametrize("place", PLACES)
def test_closing_from_another_task(place: str, mode: str) -> None:
    """`aclose` ends a stream that another task waits for; that one sees the end, and is not itself cancelled."""
    forever = Forever()

    async def main() -> None:
        stream = forever.graphs()[place].astream({}, stream_mode=mode)
        ended: List[Any] = []

        async def read() -> None:
            ended.extend([chunk async for chunk in stream])
            await asyncio.sleep(0)

        task = asyncio.create_task(read())
        await soon(forever.started.is_set)
        await stream.aclose()
        await task
        assert set(ended) <= {"started"}
        await soon(forever.is_over)

    run(main())


@pytest.mark.parametrize("leave", BLOCKING)
def test_sync_stream_stops_a_model_at_its_next_token(leave: Callable[..., None], model: Any, endless: Any) -> None:
    """A model that streams in a thread ends when its consumer has left, and the provider sees it go."""
    leave(graph_of(work=lambda state: {"value": model.invoke("?").content}), stream_mode="messages")

    stopped_request(endless)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("leave", [*WAITING, *NOT_WAITING])
def test_async_stream_stops_a_model(
    leave: Callable[..., Any], nested: bool, asynchronous: bool, model: Any, endless: Any
) -> None:
    """A model that streams in a thread, or on the loop, ends when its consumer has left."""

    def work(state: Any) -> Any:
        return {"value": model.invoke("?").content}

    async def awork(state: Any) -> Any:
        return {"value": (await model.ainvoke("?")).content}

    graph = graph_of(work=awork if asynchronous else work)
    run(leave(graph_of(outer=graph) if nested else graph, stream_mode="messages"))

    stopped_request(endless)


@pytest.mark.parametrize("leave", BLOCKING)
def test_nested_sync_model_is_stopped(leave: Callable[..., None], model: Any, endless: Any) -> None:
    """A model in a graph that a sync node runs ends like any other."""
    inner = graph_of(work=lambda state: {"value": model.invoke("?").content})
    leave(graph_of(outer=lambda state: inner.invoke(state)), stream_mode="messages")

    stopped_request(endless)


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_sync_node_is_stopped_at_its_writer(driver: str) -> None:
    """A sync node learns that its consumer has left from its writer or from its runtime."""
    ends: List[Any] = []
    left = threading.Event()

    def write(state: Any) -> Any:
        writer = get_stream_writer()
        try:
            while True:
                writer("?")
                left.wait(0.001)
        except StreamClosed as end:
            ends.append(end)
            raise

    def look(state: Any) -> Any:
        runtime = get_runtime()
        eventually(lambda: runtime.stopped)
        ends.append(None)

    graph = graph_of(write=write, look=look)
    if driver == "stream":
        close(graph, stream_mode="custom")
    else:
        run(aclose(graph, stream_mode="custom"))

    eventually(lambda: len(ends) == 2)


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_nothing_more_is_started(driver: str) -> None:
    """The step after the one in which a stream is left never begins."""
    log: List[str] = []
    graph = line_of(one=lambda state: log.append("one"), two=lambda state: log.append("two"))

    if driver == "stream":
        leave_block(graph)
    else:
        run(leave_async_block(graph))

    assert log == ["one"]


def test_closing_is_harmless() -> None:
    """A stream can be closed before it has begun, twice, and after its end."""
    log: List[str] = []
    graph = graph_of(one=lambda state: log.append("one"))
    for pulls in (0, 1, 2):
        stream = graph.stream({"value": "?"})
        for _ in range(pulls):
            next(stream, None)
        stream.close()
        stream.close()
        assert list(stream) == []

    async def main() -> None:
        for pulls in (0, 1, 2):
            stream = graph.astream({"value": "?"})
            for _ in range(pulls):
                await asyncio.wait_for(_next(stream), PATIENCE)
            await stream.aclose()
            await stream.aclose()
            assert [chunk async for chunk in stream] == []

    run(main())
    assert log == ["one"] * 4


async def _next(stream: Any) -> None:
    async for _ in stream:
        break


def test_loop_that_ends_first() -> None:
    """A stream that outlives its loop goes without a word."""
    forever = Forever()

    async def main() -> Any:
        stream = forever.graphs()["alone"].astream({}, stream_mode="custom")
        await stream.__anext__()
        return stream

    stream = asyncio.run(main())
    assert forever.is_over()
    del stream
    gc.collect()
