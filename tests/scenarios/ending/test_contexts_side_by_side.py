"""Streams that are read side by side, or in each other on other loops, do not mix."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from typing import Any, Dict, List

import pytest

from scenarios.ending.context_checks import (
    GRAPH,
    State,
    aspeak,
    color,
    context,
    expected,
    given,
    line,
    plain,
    pull,
    speak,
    step,
)
from support.models import TEXT
from support.waiting import PATIENCE, run

NAMES = ["ann", "ben", "cleo", "dan"]


def test_several_in_one_task() -> None:
    """Streams that one task reads in turns do not mix."""

    async def main() -> Dict[str, List[Any]]:
        streams = {name: GRAPH.astream(**given(name)) for name in NAMES}
        chunks: Dict[str, List[Any]] = {name: [] for name in NAMES}
        going = list(NAMES)
        while going:
            going = [name for name in going if await step(streams[name], chunks[name])]
        return chunks

    for name, chunks in run(main()).items():
        assert plain(chunks) == expected(name)


def test_several_in_several_tasks() -> None:
    """Nor do streams that are read at the same time."""

    async def read(name: str) -> List[Any]:
        color.set(name)
        before, chunks = context(), []
        async for chunk in GRAPH.astream(**given(name)):
            chunks.append(chunk)
            assert context() == before
        return chunks

    async def main() -> List[Any]:
        return await asyncio.gather(*map(read, NAMES))

    for name, chunks in zip(NAMES, run(main())):
        assert plain(chunks) == expected(name)


def test_several_in_one_thread_and_in_several() -> None:
    """The same for sync streams: in turns, and at the same time."""
    streams = {name: GRAPH.stream(**given(name)) for name in NAMES}
    chunks: Dict[str, List[Any]] = {name: [] for name in NAMES}

    def in_turns() -> None:
        going = list(NAMES)
        while going:
            going = [name for name in going if pull(streams[name], chunks[name])]

    copy_context().run(in_turns)
    for name in NAMES:
        assert plain(chunks[name]) == expected(name)

    together: Dict[str, List[Any]] = {}
    readers = [
        threading.Thread(target=lambda name=name: together.update({name: list(GRAPH.stream(**given(name)))}))
        for name in NAMES
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(PATIENCE * 2)
    for name in NAMES:
        assert plain(together[name]) == expected(name)


def test_sync_streams_and_async_ones_in_turns() -> None:
    """A sync stream is pulled between the items of an async one, on the loop's own thread."""

    async def main() -> None:
        stream, chunks = GRAPH.astream(**given("ann")), []
        other, others = GRAPH.stream(**given("ben")), []
        going = True
        while going:
            going = await step(stream, chunks)
            pull(other, others)
        while pull(other, others):
            pass
        assert plain(chunks) == expected("ann")
        assert plain(others) == expected("ben")

    run(main())


def nested_loops(inner: Any) -> Dict[str, Any]:
    """Nodes that run a graph on other terms than the run they are in."""

    async def pulls(state: State) -> Dict[str, Any]:
        return {"x": list(inner.stream(state, stream_mode="updates"))}

    def runs(state: State) -> Dict[str, Any]:
        return {"x": [asyncio.run(collect(state))]}

    async def collect(state: State) -> List[Any]:
        return [chunk async for chunk in inner.astream(state, stream_mode="updates")]

    async def runs_in_thread(state: State) -> Dict[str, Any]:
        return {"x": [await asyncio.to_thread(lambda: asyncio.run(collect(state)))]}

    def runs_and_pulls(state: State) -> Dict[str, Any]:
        async def main() -> List[Any]:
            return list(inner.stream(state, stream_mode="updates"))

        return {"x": [asyncio.run(main())]}

    def closes(state: State) -> Dict[str, Any]:
        with inner.stream(state, stream_mode="updates") as stream:
            return {"x": [next(stream)]}

    return {
        "sync stream in async node": pulls,
        "asyncio.run in sync node": runs,
        "asyncio.run in a thread of an async node": runs_in_thread,
        "sync stream in asyncio.run in sync node": runs_and_pulls,
        "sync stream that is left": closes,
    }


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("name", nested_loops(None))
def test_nested_loops(name: str, driver: str) -> None:
    """A graph that runs on another loop, or in another manner, than the one around it streams into that one."""
    inner = line(speak, aspeak)
    graph = line(nested_loops(inner)[name], speak)
    seen: List[Any] = []

    async def main() -> List[Any]:
        before = context()
        async for chunk in graph.astream(**given(stream_mode=["messages", "custom"])):
            seen.append(chunk)
            assert context() == before
        return seen

    if driver == "stream":
        seen += graph.stream(**given(stream_mode=["messages", "custom"]))
    else:
        run(main())

    custom = [data for mode, data in seen if mode == "custom"]
    text = "".join(data[0].content for mode, data in seen if mode == "messages")
    left = name == "sync stream that is left"
    assert custom == (["sync me", "sync me"] if left else ["sync me", "async me", "sync me"])
    assert text == TEXT * (2 if left else 3)
