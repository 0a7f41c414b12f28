"""Ways to leave a stream early; each reads until the inner node runs, and leaves. None keeps the stream."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any, Callable, List

import anyio
import pytest

from scenarios.ending.nested_graphs import Births, says_started
from support.waiting import PATIENCE, run

Leaving = Callable[[], None]


class ConsumerError(Exception):
    """An exception of the consumer's own."""


def until_started(stream: Any) -> None:
    """Read until the inner node runs."""
    for chunk in stream:
        if says_started(chunk):
            return
    raise AssertionError("the inner node never ran")


async def auntil_started(stream: Any) -> None:
    """Read until the inner node runs."""
    async for chunk in stream:
        if says_started(chunk):
            return
    raise AssertionError("the inner node never ran")


# Of sync streams. `leaving` is called at the moment at which it is left.


def close(stream: Any, leaving: Leaving) -> None:
    """By `break` and `close`."""
    until_started(stream)
    leaving()
    stream.close()


def leave_block(stream: Any, leaving: Leaving) -> None:
    """By leaving a `with` block."""
    with stream:
        until_started(stream)
        leaving()


def fail_in_block(stream: Any, leaving: Leaving) -> None:
    """By an exception of the consumer's in a `with` block, which stays as it is."""
    error = ConsumerError("mine")
    with pytest.raises(ConsumerError) as caught, stream:
        until_started(stream)
        leaving()
        raise error
    assert caught.value is error
    assert (error.__cause__, error.__context__) == (None, None)


def close_from_thread(stream: Any, leaving: Leaving) -> None:
    """By `close` in another thread, between two pulls."""
    until_started(stream)
    leaving()
    thread = threading.Thread(target=stream.close)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert list(stream) == []


def close_while_pulling(stream: Any, leaving: Leaving) -> None:
    """By `close` in another thread while this one waits for the next chunk; it sees the end of the stream."""
    ends: List[Any] = []
    started = threading.Event()

    def read() -> None:
        try:
            for chunk in stream:
                if says_started(chunk):
                    started.set()
            ends.append("end")
        except BaseException as error:
            ends.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    assert started.wait(PATIENCE)
    leaving()
    stream.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert ends == ["end"]


SYNC_WAYS = [close, leave_block, fail_in_block, close_from_thread, close_while_pulling]


def drop(streams: List[Any], leaving: Leaving) -> None:
    """By forgetting the stream; `streams` holds the only reference."""
    until_started(streams[0])
    leaving()
    streams.clear()
    gc.collect()


def drop_cycle(streams: List[Any], leaving: Leaving) -> None:
    """By forgetting a cycle that the stream is part of, which the collector finds."""
    cycle = [streams.pop()]
    cycle.append(cycle)
    until_started(cycle[0])
    leaving()
    del cycle
    gc.collect()


def drop_in_thread(streams: List[Any], leaving: Leaving) -> None:
    """By forgetting it in another thread."""
    until_started(streams[0])
    leaving()
    thread = threading.Thread(target=streams.clear)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()


SYNC_DROPS = [drop, drop_cycle, drop_in_thread]


# Of async streams.


async def aclose(stream: Any, births: Births) -> None:
    """By `break` and `aclose`."""
    await auntil_started(stream)
    births.leaving()
    await stream.aclose()


async def leave_async_block(stream: Any, births: Births) -> None:
    """By leaving an `async with` block."""
    async with stream:
        await auntil_started(stream)
        births.leaving()


async def fail_in_async_block(stream: Any, births: Births) -> None:
    """By an exception of the consumer's in an `async with` block, which stays as it is."""
    error = ConsumerError("mine")
    with pytest.raises(ConsumerError) as caught:
        async with stream:
            await auntil_started(stream)
            births.leaving()
            raise error
    assert caught.value is error
    assert (error.__cause__, error.__context__) == (None, None)


async def aclose_in_task(stream: Any, births: Births) -> None:
    """By `aclose` in a task that this one has started."""
    await auntil_started(stream)

    async def closing() -> None:
        births.leaving()
        await stream.aclose()

    await asyncio.create_task(closing())
    assert [chunk async for chunk in stream] == []


async def aclose_while_reading(stream: Any, births: Births) -> None:
    """By `aclose` while another task waits for the next chunk; that one sees the end of the stream."""
    reading = asyncio.Event()

    async def read() -> None:
        async for chunk in stream:
            if says_started(chunk):
                reading.set()

    reader = asyncio.create_task(read())
    await reading.wait()
    births.leaving()
    await stream.aclose()
    await reader


async def cancel(stream: Any, births: Births) -> None:
    """By cancelling the task that reads."""
    reading = asyncio.Event()

    async def read() -> None:
        async for chunk in stream:
            if says_started(chunk):
                reading.set()

    reader = asyncio.create_task(read())
    await reading.wait()
    births.leaving()
    reader.cancel()
    await asyncio.wait([reader])
    assert reader.cancelled()


async def cancel_in_block(stream: Any, births: Births) -> None:
    """By cancelling the task that reads in an `async with` block."""
    reading = asyncio.Event()

    async def read() -> None:
        async with stream:
            async for chunk in stream:
                if says_started(chunk):
                    reading.set()

    reader = asyncio.create_task(read())
    await reading.wait()
    births.leaving()
    reader.cancel()
    await asyncio.wait([reader])
    assert reader.cancelled()


async def fail_beside(stream: Any, births: Births) -> None:
    """By the failure of a neighbour in an anyio task group, which alone is raised."""
    reading = anyio.Event()

    async def read() -> None:
        async for chunk in stream:
            if says_started(chunk):
                reading.set()

    with pytest.raises(BaseException) as caught:
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await reading.wait()
            births.leaving()
            raise ConsumerError("mine")
    assert [type(error) for error in caught.value.exceptions] == [ConsumerError]  # type: ignore[attr-defined]


ASYNC_WAYS = [
    aclose,
    leave_async_block,
    fail_in_async_block,
    aclose_in_task,
    aclose_while_reading,
    cancel,
    cancel_in_block,
    fail_beside,
]


async def scope(streams: List[Any], births: Births) -> None:
    """By cancelling an anyio scope around the loop."""
    with anyio.CancelScope() as around:
        async for chunk in streams[0]:
            if says_started(chunk):
                births.leaving()
                around.cancel()
    assert around.cancelled_caught


async def scope_in_block(streams: List[Any], births: Births) -> None:
    """By cancelling an anyio scope around an `async with` block."""
    with anyio.CancelScope() as around:
        async with streams[0] as stream:
            async for chunk in stream:
                if says_started(chunk):
                    births.leaving()
                    around.cancel()
    assert around.cancelled_caught


async def time_out(streams: List[Any], births: Births) -> None:
    """By an anyio deadline that passes."""
    with anyio.move_on_after(60) as around:
        async for chunk in streams[0]:
            if says_started(chunk):
                births.leaving()
                around.deadline = anyio.current_time()
    assert around.cancelled_caught


async def drop_async(streams: List[Any], births: Births) -> None:
    """By forgetting the stream."""
    await auntil_started(streams[0])
    births.leaving()
    streams.clear()
    gc.collect()


async def drop_async_cycle(streams: List[Any], births: Births) -> None:
    """By forgetting a cycle that the stream is part of."""
    cycle = [streams.pop()]
    cycle.append(cycle)
    await auntil_started(cycle[0])
    births.leaving()
    del cycle
    gc.collect()


async def drop_async_in_thread(streams: List[Any], births: Births) -> None:
    """By forgetting it in another thread, as the collector may."""
    await auntil_started(streams[0])
    births.leaving()
    thread = threading.Thread(target=streams.clear)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()


async def fail_without_block(streams: List[Any], births: Births) -> None:
    """By an exception of the consumer's in a bare loop: the stream goes with the frame."""

    async def consume(stream: Any) -> None:
        async for chunk in stream:
            if says_started(chunk):
                births.leaving()
                raise ConsumerError("mine")

    with pytest.raises(ConsumerError) as caught:
        await consume(streams.pop())
    caught.value.__traceback__ = None
    del caught
    gc.collect()


ASYNC_DROPS = [scope, scope_in_block, time_out, drop_async, drop_async_cycle, drop_async_in_thread, fail_without_block]


def close_either(graph: Any, driver: str) -> None:
    """Read a sync or async stream of a graph until the inner node runs, and close it."""

    async def main() -> None:
        await aclose(graph.astream({"value": "?"}, stream_mode="custom"), Births())

    if driver == "stream":
        close(graph.stream({"value": "?"}, stream_mode="custom"), lambda: None)
    else:
        run(main())
