"""A thousand streams that are left at any moment: no task, no thread, no stream and no complaint is left of them."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import weakref
from typing import Any, Callable, List

import anyio
import pytest

from scenarios.ending.nested_graphs import tasks
from scenarios.ending.random_graphs import MODES, Maker, Tally
from support.waiting import eventually, run, soon

CANCELLATIONS = 1000
BATCHES = 8


async def moments(count: int) -> None:
    """Let the loop go round this many times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def read(stream: Any, most: int) -> None:
    """Read so many chunks."""
    async for _ in stream:
        most -= 1
        if most < 0:
            return


# Each takes a list with the only reference to a stream, and a random number of chunks or rounds of the loop; it tells
# whether the run was still going on when it was left.


async def cancel(streams: List[Any], count: int) -> bool:
    """Cancel the task that reads after some rounds of the loop."""
    reader = asyncio.create_task(read(streams.pop(), 10**6))
    await moments(count)
    going = not reader.done()
    reader.cancel()
    await asyncio.wait([reader])
    assert reader.cancelled() or reader.exception() is None
    return going


async def cancel_twice(streams: List[Any], count: int) -> bool:
    """Cancel it, and again while it cleans up."""
    reader = asyncio.create_task(read(streams.pop(), 10**6))
    await moments(count)
    going = not reader.done()
    reader.cancel()
    await moments(count % 3)
    reader.cancel()
    await asyncio.wait([reader])
    assert reader.cancelled() or reader.exception() is None
    return going


async def scope(streams: List[Any], count: int) -> bool:
    """Cancel an anyio scope around the task that reads after some rounds of the loop."""
    around = anyio.CancelScope()

    async def within() -> None:
        with around:
            await read(streams.pop(), 10**6)

    reader = asyncio.create_task(within())
    await moments(count)
    going = not reader.done()
    around.cancel()
    await reader
    return going


async def aclose_from_outside(streams: List[Any], count: int) -> bool:
    """Close it while another task reads; that one sees the end."""
    stream = streams.pop()
    reader = asyncio.create_task(read(stream, 10**6))
    await moments(count)
    going = not reader.done()
    await stream.aclose()
    await reader
    return going


async def aclose(streams: List[Any], count: int) -> bool:
    """Close it after some chunks, or some rounds of the loop if there are none."""
    stream = streams.pop()
    reader = asyncio.create_task(read(stream, count // 4))
    await asyncio.wait([reader, asyncio.ensure_future(moments(100))], return_when=asyncio.FIRST_COMPLETED)
    going = not is_over(stream)
    await stream.aclose()
    await reader
    return going


async def drop(streams: List[Any], count: int) -> bool:
    """Forget it after some chunks, or some rounds of the loop if there are none."""
    going = []

    async def some(stream: Any) -> None:
        await read(stream, count // 4)
        going.append(not is_over(stream))

    reader = asyncio.create_task(some(streams.pop()))
    rounds = asyncio.ensure_future(moments(100))
    await asyncio.wait([reader, rounds], return_when=asyncio.FIRST_COMPLETED)
    reader.cancel()
    await asyncio.wait([reader, rounds])
    return going != [False]


def is_over(stream: Any) -> bool:
    """Whether the run of a stream has come to its end."""
    try:
        return bool(stream.output) or True
    except RuntimeError:
        return False


WAYS: List[Callable[..., Any]] = [cancel, cancel_twice, scope, aclose_from_outside, aclose, drop]


@pytest.mark.parametrize("batch", range(BATCHES))
def test_cancelled_at_random(batch: int) -> None:
    """Whatever the moment and the graph, all that began has ended, and the stream itself is gone."""
    chance = random.Random(batch)
    tally = Tally()
    maker = Maker(chance, tally, stuck=0.1)
    streams: List[Any] = []
    going: List[bool] = []
    before = set(threading.enumerate())

    async def main() -> None:
        others = tasks()
        for _ in range(CANCELLATIONS // BATCHES):
            graph = maker.graph()
            modes = chance.sample(MODES, chance.randint(1, 3))
            held = [graph.astream({"x": []}, stream_mode=modes, subgraphs=chance.choice((None, True, False)))]
            streams.append(weakref.ref(held[0]))
            going.append(await chance.choice(WAYS)(held, chance.choice((0, 1, 2, 3, 5, 8, 13, 21, 40))))
            await soon(lambda: tasks() <= others)
        await soon(lambda: tally.running == 0)

    run(main())

    assert len(streams) == CANCELLATIONS // BATCHES
    assert going.count(True) > CANCELLATIONS // BATCHES // 2
    assert tally.begun > 100
    eventually(lambda: set(threading.enumerate()) <= before)
    gc.collect()
    assert [stream for stream in streams if stream() is not None] == []


@pytest.mark.parametrize("batch", range(2))
def test_sync_streams_left_at_random(batch: int) -> None:
    """The same for sync streams, after a random number of chunks; a few hundred will do."""
    chance = random.Random(100 + batch)
    tally = Tally()
    maker = Maker(chance, tally)
    streams: List[Any] = []
    before = set(threading.enumerate())

    for _ in range(100):
        stream = maker.graph().stream(
            {"x": []},
            stream_mode=chance.sample(MODES, chance.randint(1, 3)),
            subgraphs=chance.choice((None, True, False)),
        )
        streams.append(weakref.ref(stream))
        for _, _ in zip(range(chance.choice((0, 1, 2, 3, 5, 8, 13))), stream):
            pass
        if chance.random() < 0.7:
            stream.close()
        del stream

    eventually(lambda: tally.running == 0)
    assert tally.begun > 50
    eventually(lambda: set(threading.enumerate()) <= before)
    gc.collect()
    assert [stream for stream in streams if stream() is not None] == []
