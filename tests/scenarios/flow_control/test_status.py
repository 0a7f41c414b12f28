"""`status`, `seq` and `buffered`: what a stream says of itself at any time."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from support.value_graphs import State, graph_of, line_of
from support.waiting import eventually, run, soon


def _fails(state: State) -> None:
    raise ValueError("failed")


async def _forever(state: State) -> None:
    await asyncio.Event().wait()


def _writes(state: State, writer: Any) -> State:
    for number in range(3):
        writer(number)
    return {"value": "done"}


def _quiet(state: State) -> None:
    return None


def test_done() -> None:
    """A run that comes to its end is pending, running and done, and its chunks are numbered."""
    stream = line_of(one=_writes, two=_quiet).stream({}, stream_mode=["custom", "updates"])
    said = [(stream.status, stream.seq)]
    for _ in stream:
        said.append((stream.status, stream.seq))
    said.append((stream.status, stream.seq))
    assert said == [("pending", 0), *(("running", number) for number in range(1, 6)), ("done", 5)]


def test_done_async() -> None:
    """The same on an event loop."""

    async def main() -> List[Any]:
        stream = line_of(one=_writes, two=_quiet).astream({}, stream_mode=["custom", "updates"])
        said = [(stream.status, stream.seq)]
        async for _ in stream:
            said.append((stream.status, stream.seq))
        return [*said, (stream.status, stream.seq)]

    assert run(main()) == [("pending", 0), *(("running", number) for number in range(1, 6)), ("done", 5)]


@pytest.mark.parametrize("mode", ["custom", "values"])
def test_failed(mode: str) -> None:
    """A run whose node raises has failed."""
    stream = line_of(one=_quiet, two=_fails).stream({}, stream_mode=mode)
    with pytest.raises(ValueError, match="failed"):
        list(stream)
    assert stream.status == "failed"
    assert list(stream) == []

    async def main() -> None:
        stream = line_of(one=_quiet, two=_fails).astream({}, stream_mode=mode)
        with pytest.raises(ValueError, match="failed"):
            async for _ in stream:
                pass
        assert stream.status == "failed"
        assert [chunk async for chunk in stream] == []

    run(main())


def test_closed() -> None:
    """A run that is left early is closed, be it before it was begun; one that is over stays what it is."""
    graph = line_of(one=_writes, two=_quiet)
    stream = graph.stream({}, stream_mode="custom")
    next(stream)
    stream.close()
    assert (stream.status, stream.seq) == ("closed", 1)
    with graph.stream({}) as stream:
        pass
    assert (stream.status, stream.seq) == ("closed", 0)
    with graph.stream({}) as stream:
        list(stream)
    assert stream.status == "done"


def test_closed_async() -> None:
    """A run that is left or cancelled on an event loop is closed."""

    async def main() -> None:
        async with line_of(one=_writes, two=_quiet).astream({}, stream_mode="custom") as stream:
            await stream.__anext__()
        assert (stream.status, stream.seq) == ("closed", 1)
        for mode in ("values", "custom"):
            stream = graph_of(node=_forever).astream({}, stream_mode=mode)
            reader = asyncio.ensure_future(stream.__anext__())
            await asyncio.sleep(0.01)
            assert stream.status == "running"
            reader.cancel()
            await asyncio.wait([reader])
            assert stream.status == "closed"

    run(main())


def test_closed_by_an_interrupt() -> None:
    """An exception that is no failure of the run, such as Ctrl-C, closes it."""

    def node(state: State) -> None:
        raise KeyboardInterrupt

    stream = graph_of(node=node).stream({})
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    assert stream.status == "closed"


def test_buffered() -> None:
    """`buffered` counts the chunks that wait, whether or not they are limited, and not the ends of nodes."""
    graph = graph_of(one=_writes, two=_quiet, three=_quiet)
    for options in ({}, {"max_buffer": 100}, {"heartbeat": 10}):
        stream = graph.stream({}, stream_mode="custom", **options)
        assert stream.buffered == 0
        seen = [next(stream)]
        eventually(lambda stream=stream: stream.buffered == 2)
        seen.append(next(stream))
        assert stream.buffered == 1
        assert [*seen, *stream] == [0, 1, 2]
        assert stream.buffered == 0


def test_buffered_async() -> None:
    """The same on an event loop."""

    async def main() -> None:
        graph = graph_of(one=_writes, two=_quiet, three=_quiet)
        for options in ({}, {"max_buffer": 100}, {"heartbeat": 10}):
            stream = graph.astream({}, stream_mode="custom", **options)
            assert stream.buffered == 0
            seen = [await stream.__anext__()]
            await soon(lambda stream=stream: stream.buffered == 2)
            seen.append(await stream.__anext__())
            assert stream.buffered == 1
            assert [*seen, *[chunk async for chunk in stream]] == [0, 1, 2]
            assert stream.buffered == 0

    run(main())
