"""Leaving a stream early ends the work in graphs of the other library."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, List

import pytest

from scenarios.peers.graphs import given, model, ours, theirs
from streamgraph.config import get_stream_writer
from streamgraph.testing import Gate, ScriptedModel
from support.waiting import eventually, run, soon

WORDS = " ".join(["word"] * 500)


def talker(gate: Gate) -> ScriptedModel:
    return model(WORDS, gate=gate)


def test_a_model_in_a_sync_graph_of_theirs_stops() -> None:
    """It ends at its next token after the consumer has left."""
    ended: List[str] = []
    with Gate() as gate:
        llm = talker(gate)

        def ask(state: Any) -> Any:
            try:
                return {"messages": [llm.invoke("?")]}
            except BaseException as error:
                ended.append(type(error).__name__)
                raise

        with ours(theirs(ask), "sub").stream(given(), stream_mode="messages") as stream:
            gate.open()
            next(stream)
        gate.open_all()
        eventually(lambda: ended)
    assert ended == ["StreamClosed"]


def test_a_writer_in_a_sync_graph_of_theirs_stops() -> None:
    """So does a node that writes to the stream."""
    from langgraph.config import get_stream_writer as their_writer

    left, ended = threading.Event(), threading.Event()

    def ask(state: Any) -> Any:
        writer = their_writer()
        try:
            writer("first")
            left.wait(10)
            for _ in range(1000):
                writer("more")
        finally:
            ended.set()

    with ours(theirs(ask), "sub").stream(given(), stream_mode="custom") as stream:
        assert next(stream) == "first"
    left.set()
    assert ended.wait(10)


def test_an_async_graph_of_theirs_is_cancelled() -> None:
    """Its nodes are cancelled and waited for."""
    log: List[str] = []

    async def wait(state: Any, writer: Any = None) -> Any:
        get_stream_writer()("waiting")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    async def main() -> None:
        async with ours(theirs(wait), "sub").astream(given(), stream_mode="custom") as stream:
            assert await stream.__anext__() == "waiting"
        assert log == ["cancelled"]

    run(main())


def test_a_failure_beside_it_cancels_an_async_graph_of_theirs() -> None:
    """If a parallel node fails, LangGraph's graph is cancelled."""
    from scenarios.peers.graphs import State
    from streamgraph.graph import START, StateGraph

    log: List[str] = []
    waiting = asyncio.Event

    async def main() -> None:
        started = waiting()

        async def wait(state: Any) -> Any:
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                log.append("cancelled")
                raise

        async def fail(state: Any) -> Any:
            await started.wait()
            raise ValueError("boom")

        builder = StateGraph(State).add_node("sub", theirs(wait)).add_node(fail)
        graph = builder.add_edge(START, "sub").add_edge(START, "fail").compile()
        with pytest.raises(ValueError, match="boom"):
            await graph.ainvoke(given())
        await soon(lambda: log)

    run(main())
    assert log == ["cancelled"]


def test_our_async_graph_in_theirs_is_cancelled() -> None:
    """LangGraph's stream is left: our graph in it is cancelled."""
    log: List[str] = []

    async def main() -> None:
        started = asyncio.Event()

        async def wait(state: Any) -> Any:
            started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                log.append("cancelled")
                raise

        async def read() -> None:
            async for _ in theirs(ours(wait), "sub").astream(given(), stream_mode="updates"):
                pass

        reader = asyncio.create_task(read())
        await started.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await soon(lambda: log)

    run(main())
    assert log == ["cancelled"]
