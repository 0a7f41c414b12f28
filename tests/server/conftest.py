"""What every test of the server checks when it is over, and a server on loopback."""

from __future__ import annotations

import logging
from typing import Any, Callable, Iterator

import pytest

from server.loopback import Loopback
from streamgraph_server import serve
from support.leaks import light_collections, no_complaint, no_thread_left

__all__ = ["light_collections", "no_complaint", "no_thread_left"]


@pytest.fixture(autouse=True)
def quiet_clients() -> Iterator[None]:
    """The SDK logs every answer that is an error, on the Pythons where it cannot add a note to the exception."""
    logger = logging.getLogger("langgraph_sdk")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


@pytest.fixture
def serving() -> Iterator[Callable[..., Loopback]]:
    """Serve graphs with real uvicorn on a free port; all servers end with the test."""
    running = []

    def app(served: Any) -> Loopback:
        server = Loopback(served)
        running.append(server)
        return server

    def start(graphs: Any, **options: Any) -> Loopback:
        return app(serve(graphs, **{"drain": 0.2, **options}))

    start.app = app  # type: ignore[attr-defined]
    yield start
    for server in running:
        server.stop()
