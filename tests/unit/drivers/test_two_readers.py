"""A stream has one reader at a time: a second one gets an error at once, and the first one goes on."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Dict, List

import pytest

from streamgraph.config import get_stream_writer
from streamgraph.errors import EventLoopError, StreamBusyError
from support.value_graphs import State, graph_of
from support.waiting import PATIENCE, eventually, run


class Gated:
    """A node, sync or async, that writes something, waits until it is told to go on, and writes something else."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def node(self, state: State) -> State:
        """Run in a thread."""
        get_stream_writer()("first")
        assert self.go_on.wait(PATIENCE)
        get_stream_writer()("last")
        return {"value": "done"}

    async def anode(self, state: State) -> State:
        """Run on the loop."""
        get_stream_writer()("first")
        await asyncio.get_running_loop().run_in_executor(None, self.go_on.wait, PATIENCE)
        get_stream_writer()("last")
        return {"value": "done"}


OPTIONS: List[Dict[str, Any]] = [
    {"stream_mode": "custom"},
    {"stream_mode": ["custom", "updates"], "version": "v2"},
    {"stream_mode": "custom", "max_buffer": 1},
    {"stream_mode": "custom", "heartbeat": PATIENCE, "timeout": 60},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ["node", "anode"])
def test_two_threads(name: str, options: Dict[str, Any]) -> None:
    """The error names the thread that reads; the stream is as it was."""
    gated = Gated()
    stream = graph_of(work=getattr(gated, name)).stream({"value": "?"}, **options)
    next(stream)
    rest: List[Any] = []
    reader = threading.Thread(target=lambda: rest.extend(stream), name="the reader")
    reader.start()
    eventually(lambda: stream.gi_running)
    for _ in range(2):
        with pytest.raises(StreamBusyError, match="by thread 'the reader'") as raised:
            next(stream)
    assert isinstance(raised.value, RuntimeError)
    gated.go_on.set()
    reader.join(PATIENCE)
    assert [str(chunk).count("last") for chunk in rest][0] == 1
    assert stream.output == {"value": "done"}
    assert stream.seq == 1 + len(rest)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ["node", "anode"])
def test_two_tasks(name: str, options: Dict[str, Any]) -> None:
    """Of two tasks that wait for a chunk at the same time the second gets the error."""
    gated = Gated()

    async def main() -> None:
        stream = graph_of(work=getattr(gated, name)).astream({"value": "?"}, **options)
        await stream.__anext__()
        first = asyncio.ensure_future(stream.__anext__())
        await asyncio.sleep(0)
        with pytest.raises(StreamBusyError, match="another asyncio task"):
            await stream.__anext__()
        with pytest.raises(StreamBusyError):
            async for _ in stream:
                pass
        gated.go_on.set()
        assert "last" in str(await first)
        async for _ in stream:
            pass
        assert (stream.status, stream.output) == ("done", {"value": "done"})

    run(main())


def test_gather() -> None:
    """Pulls that are gathered do not deal the chunks out among themselves."""

    async def node(state: State) -> None:
        for number in range(3):
            get_stream_writer()(number)

    async def main() -> None:
        stream = graph_of(work=node).astream({"value": "?"}, stream_mode="custom")
        first, second = await asyncio.gather(stream.__anext__(), stream.__anext__(), return_exceptions=True)
        assert (first, type(second)) == (0, StreamBusyError)
        assert [chunk async for chunk in stream] == [1, 2]

    run(main())


def test_another_loop() -> None:
    """A stream belongs to the loop that its first chunk was awaited on, also when nobody reads."""
    loop = asyncio.new_event_loop()
    gated = Gated()
    stream = graph_of(work=gated.anode).astream({"value": "?"}, stream_mode="custom")
    assert loop.run_until_complete(stream.__anext__()) == "first"

    async def main() -> None:
        with pytest.raises(EventLoopError, match="belongs to another event loop") as raised:
            await stream.__anext__()
        assert isinstance(raised.value, RuntimeError)

    run(main())
    gated.go_on.set()
    assert loop.run_until_complete(stream.__anext__()) == "last"
    loop.run_until_complete(stream.aclose())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.mark.parametrize("mode", ["custom", "updates"])
def test_a_node_that_pulls_its_own_stream(mode: str) -> None:
    """It would wait for itself; so it gets the error, whether it runs in the reader's thread or in another."""

    def node(state: State) -> None:
        next(streams[0])

    async def anode(state: State) -> None:
        await streams[0].__anext__()

    async def main() -> None:
        streams[:] = [graph_of(work=anode).astream({"value": "?"}, stream_mode=mode)]
        with pytest.raises(StreamBusyError):
            async for _ in streams[0]:
                pass

    streams: List[Any] = [graph_of(work=node).stream({"value": "?"}, stream_mode=mode)]
    with pytest.raises(StreamBusyError):
        list(streams[0])
    run(main())


def test_one_after_the_other() -> None:
    """Any thread, and any task of the loop, may read when nobody else does."""

    def node(state: State) -> None:
        for number in range(20):
            get_stream_writer()(number)

    stream = graph_of(work=node).stream({"value": "?"}, stream_mode="custom")
    seen: List[int] = []
    for _ in range(10):
        thread = threading.Thread(target=lambda: seen.append(next(stream)))
        thread.start()
        thread.join()
        seen.append(next(stream))
    assert seen == list(range(20))
    assert list(stream) == []

    async def main() -> None:
        stream = graph_of(work=node).astream({"value": "?"}, stream_mode="custom")
        seen = [await asyncio.ensure_future(stream.__anext__()) for _ in range(20)]
        assert seen == list(range(20))
        assert [chunk async for chunk in stream] == []

    run(main())
