"""Behind Starlette: a client that leaves ends the model, in the forms that the recipe shows."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import Any, AsyncIterator, Callable, Iterator

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.routing import Route

from scenarios.environments.speaking_graphs import Speaking
from support.waiting import PATIENCE, eventually


@contextmanager
def served(answer: Callable[[], Any]) -> Iterator[str]:
    """A server whose one page is a streaming response; gives its address."""

    async def page(request: Any) -> StreamingResponse:
        return StreamingResponse(answer())

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        config = uvicorn.Config(Starlette(routes=[Route("/", page)]), log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            eventually(lambda: server.started)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def leaving(address: str) -> None:
    """Ask for the page, read the first word, and close the connection."""
    with httpx.Client(trust_env=False) as client, client.stream("GET", address) as response:
        assert next(response.iter_text()).startswith("word")


@pytest.mark.parametrize("block", [True, False])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_async_stream(asynchronous: bool, block: bool) -> None:
    """An async generator around `astream` is closed by Starlette, with the stream in it."""
    speaking = Speaking(asynchronous=asynchronous)

    async def words() -> AsyncIterator[str]:
        if block:
            async with speaking.astream() as stream:
                async for message, _ in stream:
                    yield message.content
        else:
            async for message, _ in speaking.astream():
                yield message.content

    with served(words) as address:
        leaving(address)
        assert speaking.ended.wait(PATIENCE)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_sync_stream(asynchronous: bool) -> None:
    """Who has to read the sync stream wraps it likewise: a sync generator would only be ended by the collector."""
    speaking = Speaking(asynchronous=asynchronous)

    async def words() -> AsyncIterator[str]:
        stream = speaking.stream()
        try:
            async for message, _ in iterate_in_threadpool(stream):
                yield message.content
        finally:
            await run_in_threadpool(stream.close)

    with served(words) as address:
        leaving(address)
        assert speaking.ended.wait(PATIENCE)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_read_to_the_end(asynchronous: bool) -> None:
    """Who stays gets everything."""
    speaking = Speaking(asynchronous=asynchronous, endless=False)

    async def words() -> AsyncIterator[str]:
        async with speaking.astream() as stream:
            async for message, _ in stream:
                yield message.content

    with served(words) as address, httpx.Client(trust_env=False) as client:
        assert client.get(address).text == "tell me now"
