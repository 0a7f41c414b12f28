"""A run that is left, or that a handler ends, leaves nobody waiting for the result of a task."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import Any, List, Optional

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from streamgraph.config import get_stream_writer
from streamgraph.errors import StreamOverflowError
from streamgraph.func import task
from support.value_graphs import State, graph_of
from support.waiting import PATIENCE, eventually, run, soon


class Waits:
    """Waits in a node for a task, and notes how that ended."""

    def __init__(self) -> None:
        self.waiting = threading.Event()
        self.over = threading.Event()
        self.fates: List[BaseException] = []

    def wait(self, future: Any) -> None:
        """Wait for a result in a thread; not for ever, so that a test that fails can end."""
        self.waiting.set()
        try:
            future.result(PATIENCE)
        except BaseException as error:
            self.fates.append(error)
            raise
        finally:
            self.over.set()


@task
def fails(number: int) -> None:
    """Fail at once."""
    raise ValueError("no")


def test_left_while_a_handler_runs() -> None:
    """An async run is left while a handler hears that the task has failed."""
    waits, heard, leave = Waits(), threading.Event(), threading.Event()

    class Handler(BaseCallbackHandler):
        def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
            if isinstance(error, ValueError):
                heard.set()
                assert leave.wait(PATIENCE)

    def node(state: State) -> None:
        waits.wait(fails(1))

    async def main() -> None:
        running = asyncio.ensure_future(graph_of(node=node).ainvoke({"value": "?"}, {"callbacks": [Handler()]}))
        await soon(heard.is_set)
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled()
        await soon(lambda: waits.fates)
        leave.set()

    try:
        run(main())
    finally:
        leave.set()
    assert isinstance(waits.fates[0], (CancelledError, asyncio.CancelledError))


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_left_while_the_buffer_is_full(driver: str) -> None:
    """What the task shows finds no room until the reader leaves; then the node does not wait for it any more."""
    waits, written = Waits(), threading.Event()

    @task
    def number(given: int) -> int:
        assert written.wait(PATIENCE)
        return given

    def node(state: State) -> None:
        future, writer = number(1), get_stream_writer()
        writer("first")
        writer("second")
        written.set()
        waits.wait(future)

    graph = graph_of(node=node)
    options: Any = {"stream_mode": ["custom", "updates"], "max_buffer": 1}

    async def main() -> None:
        async with graph.astream({"value": "?"}, **options) as stream:
            assert await stream.__anext__() == ("custom", "first")
            await soon(lambda: waits.waiting.is_set() and stream.buffered)

    if driver == "astream":
        run(main())
    else:
        with graph.stream({"value": "?"}, **options) as stream:
            assert next(stream) == ("custom", "first")
            eventually(lambda: waits.waiting.is_set() and stream.buffered)
    eventually(waits.over.is_set)
    assert not any(isinstance(fate, TimeoutError) for fate in waits.fates)


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_one_too_many(driver: str) -> None:
    """A task that finds no room for what it shows, where nobody is to wait, has failed with the error that says so."""
    waits, read = Waits(), threading.Event()

    @task
    def number(given: int) -> int:
        return given

    def node(state: State) -> None:
        writer = get_stream_writer()
        writer("first")
        assert read.wait(PATIENCE)
        waits.wait(number(1))

    options: Any = {"stream_mode": ["custom", "tasks"], "max_buffer": 1, "overflow": "raise"}
    stream: Any = getattr(graph_of(node=node), driver)({"value": "?"}, **options)

    async def main() -> Optional[BaseException]:
        try:
            async for chunk in stream:
                if chunk == ("custom", "first"):
                    read.set()
                    await soon(lambda: waits.fates)
        except StreamOverflowError as error:
            return error
        return None

    if driver == "astream":
        assert run(main()) is not None
    else:
        with pytest.raises(StreamOverflowError):
            for chunk in stream:
                if chunk == ("custom", "first"):
                    read.set()
                    eventually(lambda: waits.fates)
    assert isinstance(waits.fates[0], StreamOverflowError)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("driver", ["invoke", "ainvoke"])
def test_handler_that_ends_it_all(driver: str, kind: Any) -> None:
    """What a handler that insists on its errors raises is the result of the task, and of the run."""

    class Handler(BaseCallbackHandler):
        raise_error = True

        def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
            raise kind("insists")

    def node(state: State) -> None:
        waits.wait(fails(1))

    waits, graph = Waits(), graph_of(node=node)
    with pytest.raises(kind, match="insists"):
        # From a task of langchain-core's own such an exception leaves the event loop: asyncio sees to that.
        if driver == "ainvoke":
            asyncio.run(graph.ainvoke({"value": "?"}, {"callbacks": [Handler()]}))
        else:
            graph.invoke({"value": "?"}, {"callbacks": [Handler()]})
    eventually(waits.over.is_set)
    assert [type(fate) for fate in waits.fates] == [kind] or driver == "ainvoke"


def test_loop_that_runs_no_more() -> None:
    """A task that nobody can run any more, since its loop has stopped, is cancelled when the run is told to stop."""
    waits = Waits()

    @task
    async def endless(number: int) -> None:
        await asyncio.Event().wait()

    def node(state: State) -> None:
        get_stream_writer()("started")
        waits.wait(endless(1))

    loop = asyncio.new_event_loop()
    streams = [graph_of(node=node).astream({"value": "?"}, stream_mode="custom")]
    assert loop.run_until_complete(streams[0].__anext__()) == "started"
    eventually(waits.waiting.is_set)
    streams.clear()
    eventually(lambda: waits.fates)
    assert isinstance(waits.fates[0], CancelledError)
    loop.run_until_complete(asyncio.sleep(0))  # which has been asked to cancel what was on it
    loop.close()
