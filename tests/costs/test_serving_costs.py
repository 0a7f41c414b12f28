"""What a served token costs: calls, tasks, and writes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from typing import Any, Dict, List

import pytest
import starlette
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

import streamgraph
import streamgraph_server
from streamgraph._messages import copying
from streamgraph.graph import START, StateGraph
from streamgraph.serialization import PartEncoder
from streamgraph.testing import ScriptedModel
from streamgraph_server import serve
from streamgraph_server._pacing import Pace
from support.waiting import run

HOMES = tuple(str(package.__path__[0]) for package in (streamgraph, streamgraph_server, starlette))


class State(TypedDict, total=False):
    """How many tokens to make."""

    tokens: int


async def speak(state: State, config: RunnableConfig) -> None:
    """Speak, with turns of the loop between the tokens, so that each of them is read by itself."""
    async for _ in ScriptedModel([["word "] * state["tokens"]]).astream("?", config):
        for _ in range(3):
            await asyncio.sleep(0)


def served() -> Any:
    """A server of one graph."""
    return serve({"agent": StateGraph(State).add_node(speak).add_edge(START, "speak").compile()})


async def asked(app: Any, path: str, body: Any = None) -> List[Dict[str, Any]]:
    """What an application sends as the answer to a request, without a network."""
    given = [{"type": "http.request", "body": json.dumps(body).encode()}]
    sent: List[Dict[str, Any]] = []

    async def receive() -> Any:
        return given.pop() if given else await asyncio.get_running_loop().create_future()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET" if body is None else "POST",
        "path": path,
        "root_path": "",
        "query_string": b"stream_mode=messages-tuple",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "server": ("localhost", 80),
    }
    await app(scope, receive, send)
    return sent


def tokens(number: int) -> Dict[str, Any]:
    """A request for a run with so many tokens."""
    return {"assistant_id": "agent", "input": {"tokens": number}, "stream_mode": "messages-tuple"}


class Calls:
    """A context manager that counts the calls of our functions and of Starlette's in this thread."""

    def __enter__(self) -> Counter[str]:
        self.counts: Counter[str] = Counter()
        sys.setprofile(self._profile)
        return self.counts

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)

    def _profile(self, frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(HOMES):
            self.counts["called"] += 1
            self.counts[frame.f_code.co_name] += 1


def test_token_that_a_client_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """All in all, from the model to the write; a frame is a few pieces of bytes, and goes straight to the server."""
    monkeypatch.setattr(Pace, "after", lambda *given: 0.0)  # the loop is not behind, though it is counted

    async def measure() -> List[Counter[str]]:
        app, found = served(), []
        await asked(app, "/runs/stream", tokens(20))
        for number in (100, 200):
            with Calls() as counts:
                sent = await asked(app, "/runs/stream", tokens(number))
            counts["sent"] = len(sent)
            found.append(counts)
        return found

    once, twice = run(measure())
    each = {name: (twice[name] - once[name]) / 100 for name in twice}
    assert each["sent"] == pytest.approx(1, abs=0.05)
    assert each["framed"] == each["append"] == each["_send_all"] == 1
    assert each.get("encode_data", 0) == each.get("create_task", 0) == 0
    assert each["called"] < 95  # a coroutine that goes on counts as a call, and these are four turns of the loop


def test_metadata_is_encoded_once_for_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: List[str] = []
    whole = PartEncoder.encode_data
    monkeypatch.setattr(
        PartEncoder, "encode_data", lambda self, mode, data: encoded.append(mode) or whole(self, mode, data)
    )
    described: List[Any] = []
    metadata = PartEncoder._described
    monkeypatch.setattr(
        PartEncoder, "_described", lambda self, *given: described.append(given) or metadata(self, *given)
    )
    sent = run(asked(served(), "/runs/stream", tokens(50)))
    assert b"".join(message.get("body", b"") for message in sent).count(b"event: messages\n") >= 50
    assert len(encoded) <= 1  # the last chunk of a message may have more than a text
    assert len(described) == 1


def test_what_is_at_hand_is_one_write() -> None:
    """A client that comes late gets a long run in few pieces."""

    async def late() -> int:
        app = served()
        sent = await asked(app, "/runs/stream", tokens(640))
        head = dict(sent[0]["headers"])
        return len(await asked(app, head[b"location"].decode()))

    assert run(late()) < 640 / 64 + 6


def test_the_fields_of_a_class_of_messages_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not for each message that is over: with pydantic that takes longer than all else of a message's end."""
    looked_at: List[Any] = []
    is_scalar = copying._is_scalar
    monkeypatch.setattr(copying, "_is_scalar", lambda hint: looked_at.append(hint) or is_scalar(hint))
    copying.detach(AIMessageChunk("one"))
    del looked_at[:]
    copying.detach(AIMessageChunk("two"))
    assert looked_at == []
