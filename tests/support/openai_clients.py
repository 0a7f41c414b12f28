"""Clients of the loopback server, and the care that it leaves no thread behind."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from langchain_openai import ChatOpenAI

from streamgraph_integrations.openai_server import OpenAIServer, Request

PATIENCE = 30  # seconds until a wait that should end at once counts as failed


def chat(server: OpenAIServer, **kwargs: Any) -> ChatOpenAI:
    kwargs.setdefault("max_retries", 0)
    return ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none", **kwargs)


def call(server: OpenAIServer, method: str, path: str, body: object = None) -> Tuple[int, Dict[str, str], bytes]:
    """One request over raw HTTP; a body that is not bytes is sent as JSON."""
    connection = http.client.HTTPConnection(server.base_url[len("http://") : -len("/v1")], timeout=PATIENCE)
    with contextlib.closing(connection):
        content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(
            method, path, content, {"Content-Type": "application/json", "Authorization": "Bearer secret"}
        )
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def post(server: OpenAIServer, **body: Any) -> Tuple[int, Dict[str, Any]]:
    status, _, content = call(server, "POST", "/v1/chat/completions", question(**body))
    return status, json.loads(content)


def stream_events(server: OpenAIServer, **body: Any) -> List[Dict[str, Any]]:
    """The chunks of a stream over raw HTTP; checks its framing on the way."""
    status, headers, content = call(server, "POST", "/v1/chat/completions", question(stream=True, **body))
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    assert headers["content-type"].startswith("text/event-stream")
    *events, done, rest = content.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all(event.startswith("data: ") for event in events)
    return [json.loads(event[len("data: ") :]) for event in events]


def question(**body: Any) -> Dict[str, Any]:
    return {"model": "any-model", "messages": [{"role": "user", "content": "How are you"}], **body}


class Gate:
    """An `on_chunk` which lets a chunk pass for each permit."""

    def __init__(self, permits: int = 0) -> None:
        self._permits = threading.Semaphore(permits)
        self.seen: List[int] = []

    def __call__(self, request: Request, index: int) -> None:
        self.seen.append(index)
        assert self._permits.acquire(timeout=PATIENCE)

    def release(self, count: int = 1) -> None:
        for _ in range(count):
            self._permits.release()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Fail any test after which a thread of a server is still there."""
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert [name for name in left if name.startswith("streamgraph-testing")] == []
