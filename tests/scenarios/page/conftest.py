"""Fixtures for the examples of the streaming page: the runner, and the servers behind the models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from scenarios.page.runner import Run, example
from scenarios.page.servers import AnthropicServer, answer
from streamgraph_integrations.openai_server import OpenAIServer


@pytest.fixture
def run_example() -> Iterator[Callable[..., Run]]:
    """Runs examples; what they define stays importable until the test ends."""
    with contextlib.ExitStack() as stack:

        def run(name: str, **given: Any) -> Run:
            return stack.enter_context(example(name, **given))

        yield run


@pytest.fixture
def serve_openai(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., OpenAIServer]]:
    """Starts an OpenAI API on the loopback interface, where clients made without arguments find it."""
    with contextlib.ExitStack() as stack:

        def serve(reply: Any = answer, **options: Any) -> OpenAIServer:
            server = stack.enter_context(OpenAIServer(reply, delay=0, **options))
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "test-key")
            return server

        yield serve


@pytest.fixture
def openai_server(serve_openai: Callable[..., OpenAIServer]) -> OpenAIServer:
    """The OpenAI API, answering what was asked for."""
    return serve_openai()


@pytest.fixture
def anthropic_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AnthropicServer]:
    """The Anthropic API on the loopback interface, for `init_chat_model("anthropic:...")`."""
    with AnthropicServer() as server:
        for name in ("ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL"):
            monkeypatch.setenv(name, server.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "test-key")
        yield server
