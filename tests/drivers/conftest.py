"""What every test of the drivers checks when it is over, and a provider for models."""

from __future__ import annotations

import gc
from typing import Any, Iterator

import pytest
from langchain_openai import ChatOpenAI

from drivers.helpers import ENDLESS, eventually, threads
from streamgraph.testing import OpenAIServer


@pytest.fixture(scope="session", autouse=True)
def _light_collections() -> Iterator[None]:
    """Take what has been imported out of the collector's way, for these tests collect often."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After each test no thread of a run is left, and nobody has complained in the log."""
    before = threads()
    yield
    gc.collect()
    eventually(lambda: threads() <= before)
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelname != "DEBUG"] == []


@pytest.fixture
def endless() -> Iterator[OpenAIServer]:
    """A model's API that does not stop by itself."""
    with OpenAIServer(ENDLESS) as server:
        yield server


@pytest.fixture
def model(endless: OpenAIServer) -> Any:
    """A model that does not stop by itself."""
    return ChatOpenAI(model="gpt-4o-mini", api_key="test-key", base_url=endless.base_url, max_retries=0)
