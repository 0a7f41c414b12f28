"""Leaving a live run that is paused ends the waiting, and so does the failure of what runs beside it."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from typing import Any

import pytest

from scenarios.live.answering import until
from scenarios.live.asking_graphs import GIVEN, PLACES, asker, awaiting, graph, plain
from streamgraph.errors import UnknownInterruptError
from streamgraph.testing import Gate
from support.waiting import run as run_watched

LIVE: Any = {"interrupts": "live", "version": "v2"}


def nothing() -> None:
    """Is called at the top of code that asks."""


@pytest.mark.parametrize("way", ["close", "with", "drop"])
@pytest.mark.parametrize("name", PLACES)
def test_a_sync_consumer_leaves(name: str, way: str) -> None:
    """No thread is left, which the fixture checks, and the question cannot be answered any more."""
    place = PLACES[name]
    stream = place.build(nothing, None).stream(place.given, **LIVE)
    until(stream, lambda: stream.questions)
    (question, *_) = stream.questions
    if way == "drop":
        del stream
        gc.collect()
        return
    if way == "close":
        stream.close()
    else:
        with stream:
            pass
    assert (stream.status, stream.questions) == ("closed", [])
    with pytest.raises(UnknownInterruptError, match="over"):
        stream.answer(question.id, "late")


@pytest.mark.parametrize("way", ["aclose", "with", "cancel"])
@pytest.mark.parametrize("name", PLACES)
def test_an_async_consumer_leaves(name: str, way: str) -> None:
    """Neither a thread nor a task is left, and the loop has nothing to complain about."""
    place = PLACES[name]

    async def main() -> None:
        stream = place.build(nothing, None).astream(place.given, **LIVE)

        async def read() -> None:
            async for _ in stream:
                pass

        if way == "cancel":
            reading = asyncio.ensure_future(read())
            while not stream.questions:
                await asyncio.sleep(0.001)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        else:
            while not stream.questions:
                await stream.__anext__()
            if way == "aclose":
                await stream.aclose()
            else:
                async with stream:
                    pass
        assert (stream.status, stream.questions) == ("closed", [])

    run_watched(main())


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("make", [asker, awaiting, plain], ids=["sync node", "async node", "plain node"])
def test_a_failure_beside_it_ends_the_waiting(make: Any, asynchronous: bool) -> None:
    """The run fails, as it would if the other task did something else than to wait."""
    gate = Gate()

    def fail(state: Any) -> Any:
        gate.wait()
        raise ValueError("beside")

    compiled = graph(None, ask=make(nothing, "sure?"), fail=fail)

    def reading() -> Any:
        stream = compiled.stream(GIVEN, **LIVE)
        until(stream, lambda: stream.questions)
        gate.open()
        with pytest.raises(ValueError, match="beside"):
            list(stream)
        return stream

    async def areading() -> Any:
        stream = compiled.astream(GIVEN, **LIVE)
        while not stream.questions:
            await stream.__anext__()
        gate.open()
        with pytest.raises(ValueError, match="beside"):
            async for _ in stream:
                pass
        return stream

    stream = asyncio.run(areading()) if asynchronous else reading()
    assert (stream.status, stream.questions) == ("failed", [])


PROGRAM = """
import time
from scenarios.live.asking_graphs import PLACES
runs = [PLACES[name].build(lambda: None, None).start(PLACES[name].given, interrupts="live")
        for name in ("nodes", "async nodes", "plain nodes", "tools", "workflow")]
while not all(run.questions for run in runs):
    time.sleep(0.001)
print("paused")
"""


def test_a_program_ends_while_runs_are_paused() -> None:
    """Nobody reads them, so they do not keep it."""
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        # langchain-core 0.3 warns of what it imports itself from langchain.
        [sys.executable, "-W", "ignore::UserWarning:langchain_core.globals", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=150,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "paused\n", "")
