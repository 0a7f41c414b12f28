"""What every test of endings checks when it is over: no thread, no complaint; and a provider for models."""

from __future__ import annotations

import gc
import threading
from typing import Any, Iterator, List

import pytest
from langchain_openai import ChatOpenAI

from streamgraph_integrations.openai_server import OpenAIServer
from support.endless import ENDLESS
from support.leaks import light_collections, no_complaint, no_thread_left
from support.waiting import eventually

__all__ = ["endless", "light_collections", "model", "no_complaint", "no_thread_at_all_left", "no_thread_left"]


@pytest.fixture(scope="module", autouse=True)
def _lighter_collections(light_collections: None, _imported: None) -> None:
    """Do the same for what has been imported since, by models that were made."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def _imported() -> None:
    """Let a client import what it imports when it is made."""
    ChatOpenAI(model="gpt-4o-mini", api_key="test-key")


@pytest.fixture(autouse=True)
def no_thread_at_all_left() -> Iterator[None]:
    """After each test the threads of the process are those that there were, whoever started them."""
    before = set(threading.enumerate())
    yield
    gc.collect()
    eventually(lambda: set(threading.enumerate()) <= before)


class Since:
    """A server as one test sees it: without the requests that came before."""

    def __init__(self, server: OpenAIServer) -> None:
        self._server = server
        self._before = len(server.requests)

    @property
    def requests(self) -> List[Any]:
        """The requests of this test."""
        return self._server.requests[self._before :]

    def fresh(self) -> Since:
        """The server with the requests since this was last called only."""
        seen = Since(self._server)
        seen._before, self._before = self._before, seen._before
        return seen


@pytest.fixture(scope="module")
def _endless() -> Iterator[Any]:
    with OpenAIServer(ENDLESS) as server:
        # Its client is slow to make.
        yield server, ChatOpenAI(model="gpt-4o-mini", api_key="test-key", base_url=server.base_url, max_retries=0)


@pytest.fixture
def endless(_endless: Any, no_thread_at_all_left: None) -> Since:
    """A model's API that does not stop by itself."""
    return Since(_endless[0])


@pytest.fixture
def model(_endless: Any) -> Any:
    """A model that does not stop by itself."""
    return _endless[1]
