"""A stream that is dropped is ended by somebody else: the collector comes anywhere, and waits for nobody."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any, List

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from streamgraph.config import get_stream_writer
from support.value_graphs import State, graph_of
from support.waiting import PATIENCE, eventually, run


def begun(stream: Any) -> List[Any]:
    """A reference cycle around a stream that has begun, and nothing else that refers to it."""
    next(stream)
    cycle: List[Any] = [stream]
    cycle.append(cycle)
    return cycle


@pytest.mark.parametrize("kind", ["awaits", "calls"])
def test_inside_a_lock(kind: str) -> None:
    """The collector may come while a lock is held that the clean-up of a node, or a handler, wants."""
    lock, ended = threading.Lock(), threading.Event()

    class Handler(BaseCallbackHandler):
        def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
            with lock:
                told.append(error)

    async def awaits(state: State) -> None:
        get_stream_writer()("started")
        try:
            await asyncio.Event().wait()
        finally:
            with lock:
                ended.set()

    def calls(state: State) -> None:
        try:
            while True:
                get_stream_writer()("started")
                time.sleep(0.001)
        finally:
            with lock:
                ended.set()

    told: List[BaseException] = []
    graph = graph_of(node=awaits if kind == "awaits" else calls)
    cycle = begun(graph.stream({"value": "?"}, {"callbacks": [Handler()]}, stream_mode="custom"))
    with lock:
        del cycle
        gc.collect()
        assert not ended.is_set()
        assert told == []
    assert ended.wait(PATIENCE)
    eventually(lambda: any(isinstance(error, GeneratorExit) for error in told))


def test_on_a_loop() -> None:
    """A sync stream that is dropped on an event loop does not keep the loop waiting for the clean-up of its nodes."""
    clean_up, ended = threading.Event(), threading.Event()

    async def node(state: State) -> None:
        get_stream_writer()("started")
        try:
            await asyncio.Event().wait()
        finally:
            while not clean_up.is_set():
                await asyncio.sleep(0.001)
            ended.set()

    async def main() -> None:
        cycle = begun(graph_of(node=node).stream({"value": "?"}, stream_mode="custom"))
        del cycle
        gc.collect()
        clean_up.set()

    run(main())
    assert ended.wait(PATIENCE)


def test_handler_that_insists(caplog: pytest.LogCaptureFixture) -> None:
    """What a handler raises when it hears of the end can be raised to nobody; it is logged."""

    class Handler(BaseCallbackHandler):
        raise_error = True

        def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
            if isinstance(error, GeneratorExit):
                raise RuntimeError("insists")

    def node(state: State) -> None:
        get_stream_writer()("started")

    begun(graph_of(node=node).stream({"value": "?"}, {"callbacks": [Handler()]}, stream_mode="custom")).clear()
    eventually(lambda: [record for record in caplog.records if record.levelname == "ERROR"])
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "insists" in str(record.exc_info)
    caplog.clear()


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_many_at_once(driver: str) -> None:
    """Any number of them may be dropped at any time, in any thread."""
    live = threading.Semaphore(0)

    async def node(state: State) -> None:
        get_stream_writer()("started")
        try:
            await asyncio.Event().wait()
        finally:
            live.release()

    graph = graph_of(node=node)

    async def main() -> None:
        streams = [graph.astream({"value": "?"}, stream_mode="custom") for _ in range(50)]
        await asyncio.gather(*(stream.__anext__() for stream in streams))
        streams.clear()

    def threaded() -> None:
        streams = [graph.stream({"value": "?"}, stream_mode="custom") for _ in range(10)]
        for stream in streams:
            next(stream)

    if driver == "astream":
        run(main())
    else:
        threads = [threading.Thread(target=threaded) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for _ in range(50):
        assert live.acquire(timeout=PATIENCE)
