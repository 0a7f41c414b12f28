"""Slow readers: each with its own buffer and policy, without a matter for the run or other readers."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Dict, List

import pytest

from streamgraph.config import get_stream_writer
from streamgraph.errors import StreamOverflowError, UnknownOptionError
from streamgraph.runs import MemoryLog
from streamgraph.types import Gap, Heartbeat
from support.models import scripted
from support.value_graphs import State, graph_of, line_of
from support.waiting import PATIENCE, eventually, run, soon

SIZE = 100


class Counted:
    """A node that writes numbers, and counts how far it is."""

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self.made = 0
        self.go_on = threading.Event()

    def sync(self, state: State) -> None:
        """The node."""
        writer = get_stream_writer()
        assert self.go_on.wait(PATIENCE)
        for number in range(self.size):
            writer(number)
            self.made += 1

    def yields(self, state: State) -> Any:
        """The same as a generator."""
        assert self.go_on.wait(PATIENCE)
        for number in range(self.size):
            self.made += 1
            yield number

    async def ayields(self, state: State) -> Any:
        """The same on a loop."""
        while not self.go_on.is_set():
            await asyncio.sleep(0)
        for number in range(self.size):
            self.made += 1
            yield number


def late(node: Counted, **options: Any) -> Any:
    """A reader that is there from the first, but reads only when all is made."""
    handle = graph_of(node=node.sync).start({})
    reader = handle.stream("custom", **options)
    node.go_on.set()
    assert handle.join(PATIENCE)
    return reader


def test_oldest_are_dropped() -> None:
    """A gap says how many, once for what was dropped together."""
    reader = late(Counted(), max_buffer=3)
    assert list(reader) == [Gap(SIZE - 3, {"custom": SIZE - 3}), SIZE - 3, SIZE - 2, SIZE - 1]


def test_too_many_is_an_error_of_the_reader() -> None:
    """It gets what fits, and then the error; the run and other readers do not notice."""
    reader = late(Counted(), max_buffer=3, overflow="raise")
    assert [next(reader), next(reader), next(reader)] == [0, 1, 2]
    with pytest.raises(StreamOverflowError):
        next(reader)
    assert list(reader) == []


def test_tokens_become_one() -> None:
    """No text is lost, and chunks are fewer."""
    go_on, model = threading.Event(), scripted([f"{number} " for number in range(SIZE)])

    def node(state: State) -> None:
        assert go_on.wait(PATIENCE)
        model.invoke("?")

    handle = graph_of(node=node).start({})
    reader = handle.stream("messages", max_buffer=3, overflow="coalesce")
    go_on.set()
    assert handle.join(PATIENCE)
    merged = [message.content for message, _ in reader]
    assert "".join(merged) == "".join(f"{number} " for number in range(SIZE))
    assert len(merged) <= 5
    assert len(list(handle.stream("messages"))) > SIZE


@pytest.mark.parametrize("policy", ["drop_oldest", "raise", "coalesce", "block"])
def test_what_was_made_before_does_not_count(policy: Any) -> None:
    """A reader that comes late gets all of that, however small its buffer."""
    node = Counted()
    node.go_on.set()
    handle = graph_of(node=node.sync).start({})
    assert handle.join(PATIENCE)
    assert list(handle.stream("custom", max_buffer=1, overflow=policy)) == list(range(SIZE))


@pytest.mark.parametrize("kind", ["sync", "yields", "ayields"])
def test_the_run_waits_for_a_reader(kind: str) -> None:
    """It is never further ahead than the reader allows, in a thread; other readers get what there is at once."""
    node = Counted()
    handle = graph_of(node=getattr(node, kind)).start({})
    reader, other = handle.stream("custom", max_buffer=3, overflow="block"), handle.stream("custom")
    node.go_on.set()
    assert [next(other) for _ in range(3)] == [0, 1, 2]
    got = []
    for chunk in reader:
        got.append(chunk)
        assert node.made <= len(got) + 4
    assert got == list(range(SIZE))
    assert list(other) == list(range(3, SIZE))
    assert handle.join(PATIENCE)


def test_the_run_waits_for_a_reader_on_a_loop() -> None:
    """The same on a loop, between two readers that both hold it back."""

    async def main() -> None:
        node = Counted()
        handle = await graph_of(node=node.ayields).astart({})
        readers = [handle.astream("custom", max_buffer=limit, overflow="block") for limit in (1, 5)]
        node.go_on.set()
        for number in range(SIZE):
            assert [await reader.__anext__() for reader in readers] == [number, number]
            assert node.made <= number + 4
        await handle

    run(main())


@pytest.mark.parametrize("leaving", ["close", "drop", "cancel"])
def test_a_reader_that_holds_the_run_back_leaves(leaving: str) -> None:
    """Then the run goes on."""
    node = Counted()
    handle = graph_of(node=node.sync).start({})
    reader = handle.stream("custom", max_buffer=3, overflow="block")
    node.go_on.set()
    next(reader)
    eventually(lambda: node.made >= 3)
    if leaving == "close":
        reader.close()
    elif leaving == "drop":
        del reader
    else:
        handle.cancel()
    assert handle.join(PATIENCE)
    assert handle.status == ("cancelled" if leaving == "cancel" else "done")


def test_steps_wait_for_a_reader() -> None:
    """A run whose nodes emit nothing is held back between its steps."""
    made: List[int] = []
    nodes: Dict[str, Any] = {f"n{number}": (lambda state: made.append(1)) for number in range(20)}

    async def main() -> None:
        handle = await line_of(**nodes).astart({})
        reader = handle.astream("updates", max_buffer=2, overflow="block")
        for number in range(20):
            await reader.__anext__()
            await soon(lambda number=number: len(made) >= min(number + 2, 20))
            assert len(made) <= number + 4
        await handle

    run(main())


def test_heartbeats() -> None:
    """Only while nothing comes, with the tasks that run, for this reader alone."""
    node = Counted(1)
    handle = graph_of(node=node.sync).start({})
    reader = handle.stream("custom", heartbeat=0.01)
    beat = next(reader)
    while not beat.running:  # on a busy machine one may come before the run has begun
        beat = next(reader)
    assert isinstance(beat, Heartbeat)
    assert [task.node for task in beat.running] == ["node"]
    assert isinstance(next(reader), Heartbeat)
    node.go_on.set()
    assert [chunk for chunk in reader if not isinstance(chunk, Heartbeat)] == [0]
    assert list(handle.stream("custom")) == [0]


def test_heartbeats_on_another_loop() -> None:
    """The same for a reader on a loop, of a run in a thread with two nodes side by side."""
    node = Counted(1)
    handle = graph_of(node=node.sync, other=node.sync).start({})

    async def main() -> None:
        reader = handle.astream("custom", heartbeat=0.01, version="v2")
        beat = await reader.__anext__()
        while len(beat["data"].running) < 2:
            beat = await reader.__anext__()
        assert beat["type"] == "heartbeat"
        assert sorted(task.node for task in beat["data"].running) == ["node", "other"]
        node.go_on.set()
        rest = [part["data"] async for part in reader if part["type"] == "custom"]
        assert rest == [0, 0]

    run(main())


def test_what_is_gone_is_a_gap() -> None:
    """With the ids of the first and the last event that has gone; a reader goes on behind it."""
    node = Counted()
    node.go_on.set()
    handle = graph_of(node=node.sync).start({}, log=MemoryLog(max_events=10), record="custom")
    assert handle.join(PATIENCE)
    reader = handle.stream("custom")
    assert next(reader) == Gap(SIZE - 10, {}, "1-1", f"1-{SIZE - 10}")
    assert reader.id == f"1-{SIZE - 10}"
    assert list(reader) == list(range(SIZE - 10, SIZE))
    assert list(handle.stream("custom", after=f"1-{SIZE - 2}")) == [SIZE - 2, SIZE - 1]
    first = next(handle.stream("custom", after="1-5", version="v2"))
    assert (first["type"], first["data"].first, first["data"].last) == ("gap", "1-6", f"1-{SIZE - 10}")


def test_a_log_is_for_one_run() -> None:
    """Its ids would not be contiguous."""
    log, graph = MemoryLog(), graph_of(node=lambda state: None)
    assert graph.start({}, log=log).join(PATIENCE)
    with pytest.raises(UnknownOptionError, match="another run"):
        graph.start({}, log=log)


class Broken(MemoryLog):
    """A log that cannot take more than two events."""

    def append(self, part: Any) -> int:
        """Add an event."""
        if self.last == 2:
            raise OSError("the disk is full")
        return super().append(part)


@pytest.mark.parametrize("starter", ["start", "astart"])
def test_a_log_that_fails(starter: str) -> None:
    """The run ends with its error, not the node."""
    node = Counted()
    node.go_on.set()

    async def main() -> Any:
        graph = graph_of(node=node.sync)
        handle = graph.start({}, log=Broken()) if starter == "start" else await graph.astart({}, log=Broken())
        await asyncio.wait_for(handle.ajoin(), PATIENCE)
        return handle

    handle = run(main())
    assert handle.status == "failed"
    with pytest.raises(OSError, match="disk is full"):
        handle.result()
    with pytest.raises(OSError, match="disk is full"):
        list(handle.stream("custom"))
