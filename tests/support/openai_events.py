"""A first stream of OpenAI's Responses API that no other thread reads beside it.

The openai client learns at its first event how to tell events apart. If several threads of a process parse their first
event at the same time, it may learn that wrongly, and takes every later event for `ResponseAudioDeltaEvent` (seen with
openai 2.48.0 on Python 3.9: eight threads that call `openai._models.construct_type` at once show it nearly always).
"""

from __future__ import annotations

import pytest
from langchain_openai import ChatOpenAI

from streamgraph_integrations.openai_server import OpenAIServer

__all__ = ["openai_events_known"]


@pytest.fixture(scope="session", autouse=True)
def openai_events_known() -> None:
    """Have the client learn its events before any test reads them in several threads."""
    with OpenAIServer() as server:
        model = ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none", use_responses_api=True)
        assert list(model.stream("?"))
