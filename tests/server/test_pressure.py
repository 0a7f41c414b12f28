"""Slow clients: what they cost, and what they hold back, through real sockets with little room."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from typing import Any, AsyncIterator, Callable, Iterator, List

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from server.graphs import HI, one_node, speaking
from server.loopback import Loopback, events_in
from streamgraph.errors import UnknownOptionError
from streamgraph_server import serve
from support.waiting import PATIENCE, eventually

Serving = Callable[..., Loopback]

SIZE = 1500
"""Tokens of a run: a megabyte and a half."""

ROOM = 400
"""More tokens than there is room for on the way to a client: in the system, twice, and in the server."""


class Flood(BaseChatModel):
    """A model that makes large tokens as fast as it can, and counts them."""

    made: List[int] = []

    @property
    def _llm_type(self) -> str:
        return "flood"

    def _generate(self, *given: Any, **options: Any) -> ChatResult:
        raise NotImplementedError

    def _token(self, number: int) -> ChatGenerationChunk:
        self.made.append(number)
        return ChatGenerationChunk(message=AIMessageChunk(content=f"<{number}>" + "x" * 1000))

    def _stream(self, *given: Any, **options: Any) -> Iterator[ChatGenerationChunk]:
        for number in range(SIZE):
            yield self._token(number)

    async def _astream(self, *given: Any, **options: Any) -> AsyncIterator[ChatGenerationChunk]:
        for number in range(SIZE):
            await asyncio.sleep(0)
            yield self._token(number)


def flooding(asynchronous: bool) -> Any:
    """A graph that asks such a model, and what the model has made."""
    model = Flood(made=[])

    async def aflood(state: Any, config: Any) -> None:
        await model.ainvoke("?", config)

    def flood(state: Any, config: Any) -> None:
        model.invoke("?", config)

    return one_node(aflood if asynchronous else flood, "flood"), model.made


class SlowClient:
    """A client with next to no room, which reads when it is told to."""

    def __init__(self, server: Loopback, path: str, body: Any) -> None:
        sent = json.dumps(body).encode()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", server.port))
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self.socket.sendall(f"{head}content-length: {len(sent)}\r\n\r\n".encode() + sent)

    def rest(self) -> str:
        """All that comes, without the marks of the transfer, which are anywhere."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        pieces = []
        while not pieces or pieces[-1]:
            pieces.append(self.socket.recv(1 << 20))
        return re.sub(r"\r\n[0-9a-f]+\r\n", "", b"".join(pieces).decode())

    def __enter__(self) -> SlowClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()


def settled(server: Loopback, made: List[int], looks: int = 20) -> int:
    """Wait until a model makes nothing more while its server does other things; return how many tokens it has made."""
    before, same = -1, 0
    deadline = time.monotonic() + PATIENCE
    while same < looks:
        assert time.monotonic() < deadline
        time.sleep(0.02)
        assert server.get("/ok").status_code == 200
        same = same + 1 if made and len(made) == before else 0
        before = len(made)
    return before


def numbers_in(text: str) -> List[int]:
    """The numbers of the tokens in a stream."""
    return [int(number) for number in re.findall(r"<(\d+)>x", text)]


def only(server: Loopback) -> Any:
    """The run of a server that has had one."""
    (run,) = server.runs._runs.values()
    return run


PATHS = {
    "/runs/stream": {"assistant_id": "agent", "input": HI, "stream_mode": "messages-tuple"},
    "/chat/agent": {"id": "c", "messages": [{"id": "1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}]},
}


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_run_that_waits_for_its_client_holds_its_model(serving: Serving, asynchronous: bool, path: str) -> None:
    """Others do not notice, and nothing is lost when the client reads on."""
    graph, made = flooding(asynchronous)
    server = serving({"agent": graph, "other": speaking()}, max_ahead=10)
    with SlowClient(server, path, PATHS[path]) as client:
        held_at = settled(server, made)
        assert 10 < held_at < ROOM
        other = server.post("/runs/stream", {**PATHS["/runs/stream"], "assistant_id": "other"})
        assert events_in(other.text)[-1].event == "end"
        assert len(made) == held_at
        assert numbers_in(client.rest()) == list(range(SIZE))
    assert made == list(range(SIZE))


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_client_that_leaves_holds_nothing_back(serving: Serving, goes_on: bool) -> None:
    graph, made = flooding(asynchronous=True)
    server = serving({"agent": graph}, max_ahead=10)
    choice = {"on_disconnect": "continue"} if goes_on else {}
    with SlowClient(server, "/runs/stream", {**PATHS["/runs/stream"], **choice}):
        assert settled(server, made, 10) < ROOM
    eventually(lambda: only(server).over.is_set())
    assert only(server).status == ("done" if goes_on else "cancelled")
    assert (len(made) == SIZE) is goes_on


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_client_that_reads_nothing_costs_a_limited_log(serving: Serving, asynchronous: bool) -> None:
    """By default no run waits for it; when it reads again, it is told what it has missed."""
    graph, made = flooding(asynchronous)
    server = serving({"agent": graph}, max_events=200)
    with SlowClient(server, "/runs/stream", PATHS["/runs/stream"]) as client:
        eventually(lambda: len(made) == SIZE and only(server).over.is_set())
        log = only(server).log
        assert log.last - log.oldest < 200
        assert log.bytes < 200 * 1300
        text = client.rest()
    seen = numbers_in(text)
    missing = [int(count) for count in re.findall(r'"ResumeGap","message":"(\d+) events before this one', text)]
    assert seen == sorted(set(seen))
    assert seen[-100:] == list(range(SIZE - 100, SIZE))
    assert len(seen) < ROOM + 200
    assert 0 <= len(seen) + sum(missing) - SIZE < 5  # of what is missing, some would not have been shown
    assert text.index("ResumeGap") < text.index("event: end")


def test_the_least_that_a_run_may_be_ahead_is_one_event() -> None:
    with pytest.raises(UnknownOptionError, match="max_ahead"):
        serve({"agent": speaking()}, max_ahead=0)
