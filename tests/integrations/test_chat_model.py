"""The ready ChatOpenAI: which service it talks to, and that it reaches the loopback server in any environment."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
import threading
from typing import Any, Callable, Iterator, List

import openai
import pytest
from langchain_openai import ChatOpenAI

from streamgraph_integrations import openai as integration
from streamgraph_integrations.openai import chat_model, is_live
from streamgraph_integrations.openai_server import OpenAIServer, Reply

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class AtExit:
    """Stands in for the `atexit` module, so that a test can be the end of the interpreter."""

    def __init__(self) -> None:
        self.functions: List[Callable[[], object]] = []

    def register(self, function: Callable[[], object]) -> None:
        self.functions.append(function)

    def run(self) -> None:
        while self.functions:
            self.functions.pop()()


@pytest.fixture(autouse=True)
def at_exit(monkeypatch: pytest.MonkeyPatch) -> Iterator[AtExit]:
    """Start without servers and without any variable that matters, and end by closing the servers."""
    for name in list(os.environ):
        if name.startswith("OPENAI_") or name.upper() in PROXIES:
            monkeypatch.delenv(name)
    fake = AtExit()
    monkeypatch.setattr(integration, "atexit", fake)
    monkeypatch.setattr(integration, "_shared", {})
    yield fake
    fake.run()


def base_url(model: ChatOpenAI) -> str:
    return str(model.root_client.base_url).rstrip("/")


def test_answers_without_a_key() -> None:
    """Without any variable set the model answers about the topic, streamed and not."""
    model = chat_model(delay=0)
    assert not is_live()
    assert "joke about cats" in str(model.invoke("a joke about cats").content)
    pieces = list(model.stream("a poem about dogs"))
    assert "poem about dogs" in str(sum(pieces[1:], pieces[0]).content)
    assert len(pieces) > 20


def test_answers_without_a_key_in_several_event_loops() -> None:
    """One model works in one event loop after the other."""
    model = chat_model(delay=0, max_retries=0)

    async def text() -> str:
        return "".join([str(piece.content) async for piece in model.astream("a joke about cats")])

    assert asyncio.run(text()) == asyncio.run(text())


def test_streams_report_usage_as_with_a_key() -> None:
    """The usage of a stream is there, which a base URL of one's own would turn off."""
    pieces = list(chat_model(delay=0).stream("Hello"))
    assert sum(pieces[1:], pieces[0]).usage_metadata is not None


def test_calls_share_one_server() -> None:
    """All calls with the default reply share a server; a reply of its own gets one of its own."""
    first, second = chat_model(), chat_model("gpt-4o", temperature=0)
    own = chat_model(reply="mine")
    assert base_url(first) == base_url(second) != base_url(own)
    assert second.model_name == "gpt-4o"
    assert own.invoke("?").content == "mine"
    listed = chat_model(reply=["one", Reply("two")])
    assert [listed.invoke("?").content for _ in range(2)] == ["one", "two"]


def test_servers_close_at_exit(at_exit: AtExit) -> None:
    """What closes the servers is registered for the interpreter's exit, and leaves no thread."""
    before = set(threading.enumerate())
    for model in (chat_model(delay=0), chat_model(reply="mine")):
        model.invoke("?")
    assert set(threading.enumerate()) - before
    at_exit.run()
    assert not set(threading.enumerate()) - before


@pytest.mark.slow
def test_a_program_ends_by_itself() -> None:
    """A program that used the model exits at once and without a word on stderr."""
    program = (
        "from streamgraph_integrations.openai import chat_model\n"
        "for piece in chat_model(delay=0).stream('a joke about cats'): print(piece.content, end='')\n"
        "stream = chat_model(delay=3600).stream('a joke about dogs'); next(stream)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=150, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "joke about cats" in done.stdout


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_a_base_url_alone_is_live(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base URL in the environment is used, with a key made up for the client."""
    with OpenAIServer("from elsewhere", delay=0) as server:
        monkeypatch.setenv(name, server.base_url)
        assert is_live()
        assert chat_model(reply="not used").invoke("?").content == "from elsewhere"
        assert len(server.requests) == 1


def test_a_key_alone_is_live(monkeypatch: pytest.MonkeyPatch, at_exit: AtExit) -> None:
    """A key in the environment leads to OpenAI, and no server is started."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    model = chat_model()
    assert is_live()
    assert base_url(model) == "https://api.openai.com/v1"
    assert model.root_client.api_key == "sk-none"
    assert at_exit.functions == []


def test_a_key_and_a_base_url_are_both_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both variables set, the key is the environment's."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    model = chat_model()
    assert (base_url(model), model.root_client.api_key) == ("http://127.0.0.1:9/v1", "sk-none")


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "OPENAI_BASE_URL"])
def test_an_empty_variable_is_not_live(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set to nothing counts as not set."""
    monkeypatch.setenv(name, "")
    assert not is_live()
    assert chat_model(reply="here").invoke("?").content == "here"


def test_arguments_go_before_the_environment(at_exit: AtExit) -> None:
    """A key or a base URL given in the call is used like one of the environment."""
    with OpenAIServer("from elsewhere", delay=0) as server:
        assert chat_model(base_url=server.base_url).invoke("?").content == "from elsewhere"
    assert base_url(chat_model(api_key="sk-none")) == "https://api.openai.com/v1"
    assert at_exit.functions == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "OPENAI_PROXY"])
def test_proxies_do_not_get_in_the_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy in the environment the loopback server is still asked directly."""
    with OpenAIServer("from the proxy") as proxy:
        monkeypatch.setenv(name, proxy.base_url[: -len("/v1")])
        model = chat_model(reply="direct", max_retries=0)
        assert model.invoke("?").content == "direct"
        assert asyncio.run(model.ainvoke("?")).content == "direct"
        assert proxy.requests == []


def test_proxies_would_get_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain ChatOpenAI does send its requests for loopback to the proxy of the environment."""
    with OpenAIServer() as proxy, OpenAIServer() as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url[: -len("/v1")])
        model = ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none", max_retries=0)
        with pytest.raises(openai.NotFoundError):
            model.invoke("?")
        assert [request.path for request in proxy.requests] == [f"{server.base_url}/chat/completions"]


@pytest.mark.parametrize("wrong", [{"reply": 42}, {"reply": []}, {"delay": -1}])
def test_wrong_arguments(wrong: Any) -> None:
    """What the server does not take fails in the call."""
    with pytest.raises((TypeError, ValueError)):
        chat_model(**wrong)


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without langchain-openai the import says what to install."""
    monkeypatch.setitem(sys.modules, "langchain_openai", None)
    spec = importlib.util.spec_from_file_location("integration_without_its_package", integration.__file__)
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(ImportError, match=r'pip install "streamgraph\[openai\]"'):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
