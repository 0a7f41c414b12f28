"""Fixtures for scenarios: the two transports, and an environment without anything of the developer's."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from scenarios.streaming.provider import RespxProvider, ServerProvider
from support.openai_events import openai_events_known


@pytest.fixture(scope="session")
def _respx() -> Iterator[RespxProvider]:
    provider = RespxProvider()
    yield provider
    provider.close()


@pytest.fixture(scope="session")
def _server() -> Iterator[ServerProvider]:
    with ServerProvider() as running:
        yield running


@pytest.fixture
def server(_server: ServerProvider) -> ServerProvider:
    """The OpenAI API with real sockets, for tests that would learn nothing from a second transport."""
    _server.forget()
    return _server


@pytest.fixture(params=["respx", "server"])
def provider(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The OpenAI API, by each transport."""
    if request.param == "server":
        yield request.getfixturevalue("server")
    else:
        with request.getfixturevalue("_respx") as running:
            yield running


__all__ = ["openai_events_known"]
