"""A server for all tests of a process, with a prefix for each test."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any, Callable, Iterator
from uuid import uuid4

import pytest

from streamgraph_integrations.redis_events import RedisEvents
from support.redis_servers import Server

Make = Callable[..., RedisEvents]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server."""
    found = Server(tmp_path_factory.mktemp("redis"))
    yield found
    found.close()


@pytest.fixture
def make(server: Server) -> Iterator[Make]:
    """Return the events that another process would have as well; each call is as another process."""
    made = []
    prefix = f"test{uuid4().hex}"

    def events(url: str = server.url, **options: Any) -> RedisEvents:
        made.append(RedisEvents(url, prefix=prefix, **options))
        return made[-1]

    yield events
    for each in made:
        each.close()
    gc.collect()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a server of a test's own."""
    return tmp_path
