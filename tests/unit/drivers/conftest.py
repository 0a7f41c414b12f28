"""What every test of the drivers checks when it is over, and a provider for models."""

from __future__ import annotations

from typing import Any, Iterator

import pytest
from langchain_openai import ChatOpenAI

from streamgraph_integrations.openai_server import OpenAIServer
from support.endless import ENDLESS
from support.leaks import light_collections, no_complaint, no_thread_left

__all__ = ["endless", "light_collections", "model", "no_complaint", "no_thread_left"]


@pytest.fixture
def endless() -> Iterator[OpenAIServer]:
    """A model's API that does not stop by itself."""
    with OpenAIServer(ENDLESS) as server:
        yield server


@pytest.fixture
def model(endless: OpenAIServer) -> Any:
    """A model that does not stop by itself."""
    return ChatOpenAI(model="gpt-4o-mini", api_key="test-key", base_url=endless.base_url, max_retries=0)
