"""What a user may use of a server, and what of an error a client gets to read."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any, Callable, Dict, List, Optional

import httpx
import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from server.graphs import HI, failing, one_node, speaking
from server.loopback import Loopback
from streamgraph.prebuilt import ToolNode, create_react_agent
from streamgraph.testing import Gate, ScriptedModel
from streamgraph_server import _reading
from streamgraph_server._connections import LimitedProtocol
from streamgraph_server._guard import LIMITS, StreamLimits
from streamgraph_server._redaction import shown_error, shown_part
from support.waiting import PATIENCE, eventually

Serving = Callable[..., Loopback]
BODY = {"assistant_id": "agent", "input": HI}
NEW = {**BODY, "if_not_exists": "create"}
SECRET = ValueError("see /home/me/app/x.py and sk-proj-abcdefgh12345")


async def by_header(request: Request) -> Optional[str]:
    """The user whom a header names."""
    return request.headers.get("x-user")


@pytest.mark.parametrize("path", ["/runs/stream", "/runs/wait", "/threads/t/runs/stream", "/agui/agent", "/chat/agent"])
def test_a_user_reads_so_many_streams(serving: Serving, path: str) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)}, max_streams=1, auth=by_header)
    body: Dict[str, Any] = {**NEW, "threadId": "t", "runId": "r", "id": "c", "messages": []}
    if path.startswith("/chat"):
        body["messages"] = [{"id": "m", "role": "user", "parts": [{"type": "text", "text": "hi"}]}]
    anna, bert = ({"x-user": name} for name in ("anna", "bert"))
    with server._client.stream("POST", "/runs/stream", json=BODY, headers=anna) as first:
        assert first.status_code == 200
        refused = server.post(path, body, headers=anna)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json() == {"detail": "1 streams are read already."}
        with server._client.stream("POST", "/runs/stream", json=BODY, headers=bert) as other:
            assert other.status_code == 200
    gate.open_all()
    eventually(lambda: server.post("/runs/stream", BODY, headers=anna).status_code == 200)


def test_a_body_must_come_in_time(serving: Serving) -> None:
    server = serving({"agent": speaking()}, body_timeout=0.2)
    lines = ("POST /runs/stream HTTP/1.1", "host: localhost", "content-type: application/json", "content-length: 100")
    head = "\r\n".join((*lines, "", "{"))
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))  # the server closes the connection
    assert answer.startswith(b"HTTP/1.1 408") and b"in time" in answer


def test_a_client_that_takes_nothing_has_left(serving: Serving) -> None:
    big = [["x" * 200_000] * 40]
    server = serving({"agent": speaking(script=big)}, stall_timeout=0.2)
    request = httpx.Request("POST", f"{server.url}/runs/stream", json={**BODY, "on_disconnect": "continue"})
    head = "POST /runs/stream HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(head.encode() + b"\r\n" + request.content)
        eventually(lambda: len(server.runs._runs) == 1)
        (run,) = server.runs._runs.values()
        eventually(lambda: run.over.is_set() and run.readers == 0)
    assert run.status == "done"


def test_a_client_has_its_time_for_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent to it just before a look, after a long silence, it may not have taken by then."""
    left: List[bool] = []

    async def main() -> None:
        taken, looks = asyncio.Event(), 0
        wait = asyncio.wait

        async def looking(tasks: Any, timeout: Any = None, **options: Any) -> Any:
            nonlocal looks
            looks += 1
            if looks > 1:
                taken.set()
                return await wait(tasks, **options)
            while not begun:
                await asyncio.sleep(0)
            return set(), set(tasks)

        begun: List[Any] = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                begun.append(message["body"])
                await taken.wait()

        async def frames() -> Any:
            yield b"late"

        async def on_left(has_left: bool) -> None:
            left.append(has_left)

        monkeypatch.setattr(_reading.asyncio, "wait", looking)
        scope = {"type": "http", LIMITS: StreamLimits(5, 1.0)}
        await _reading.EventStream(frames(), on_left)(scope, asyncio.Event().wait, send)  # type: ignore[arg-type]
        assert begun == [b"late", b""]

    asyncio.run(main())
    assert left == [False]


def test_a_login_may_answer_itself(serving: Serving) -> None:
    async def auth(request: Request) -> Optional[str]:
        raise HTTPException(402, "Pay first.", {"x-price": "1"})

    answer = serving({"agent": speaking()}, auth=auth).post("/runs/stream", BODY)
    assert (answer.status_code, answer.json(), answer.headers["x-price"]) == (402, {"detail": "Pay first."}, "1")


def test_nodes_know_the_user_as_in_langgraph(serving: Serving) -> None:
    seen: List[Any] = []

    def note(state: Any, config: Any) -> None:
        seen.append(config["configurable"]["langgraph_auth_user"]["identity"])

    server = serving({"agent": one_node(note, "note")}, auth=by_header)
    assert server.post("/threads/t/runs/wait", NEW, headers={"x-user": "anna"}).status_code == 200
    assert seen == ["anna"]


@pytest.mark.parametrize("errors", ["message", "type"])
def test_no_part_and_no_state_shows_more_of_an_error(serving: Serving, errors: Any) -> None:
    server = serving({"agent": failing(SECRET)}, errors=errors)
    modes = ["tasks", "debug", "updates", "values", "checkpoints", "custom"]
    texts = [server.post("/threads/t/runs/stream", {**NEW, "stream_mode": modes}).text]
    texts += [server.get(f"/threads/t{path}").text for path in ("", "/state", "/state?subgraphs=true", "/history")]
    with server._client.stream("POST", "/threads/t/stream/events", json={"channels": ["tasks", "lifecycle"]}) as events:
        read: List[str] = []
        for line in events.iter_lines():
            read.append(line)
            if '"failed"' in line and '"namespace":[]' in line:
                break
        texts.append("\n".join(read))
    for text in texts:
        assert "/home" not in text and "abcdefgh" not in text
    assert [("see <path> and <secret>" in text) for text in texts[:1] + texts[2:4]] == [errors == "message"] * 3
    assert texts[0].count('"ValueError"') >= 3 and "ValueError" in texts[2]


@pytest.mark.parametrize("errors", ["message", "type"])
def test_failed_tools_show_no_more_either(serving: Serving, errors: Any) -> None:
    @tool
    def look_up(word: str) -> str:
        """Look a word up."""
        raise SECRET

    call = AIMessage("", tool_calls=[{"name": "look_up", "args": {"word": "ice"}, "id": "call-1"}])
    script: List[Any] = [call, ["It ", "is."]]
    model = ScriptedModel(script, cycle=True)
    graph = create_react_agent(model, ToolNode([look_up], handle_tool_errors="no"))
    server = serving({"agent": graph}, errors=errors)
    text = server.post("/threads/t/runs/stream", {**NEW, "stream_mode": ["tools"]}).text
    assert "tool-error" in text and "/home" not in text
    assert ("see <path>" in text) == (errors == "message")


def test_what_is_shown_of_the_error_of_a_task() -> None:
    assert shown_error(None, "type") is None
    assert shown_error("ValueError('x /a/b/c')", "type") == "ValueError"
    assert shown_error(SECRET, "type") == "ValueError"
    assert shown_error("ValueError('x /a/b/c')", "message") == "ValueError('x <path>')"
    part: Any = {"type": "values", "ns": (), "data": {"error": SECRET}, "interrupts": ()}
    assert shown_part(part, "type") is part  # the state is the graph's own
    tasks: Any = {"type": "checkpoints", "ns": (), "data": {"tasks": ({"id": "t", "error": "KeyError('x')"},)}}
    assert shown_part(tasks, "type")["data"] == {"tasks": [{"id": "t", "error": "KeyError"}]}


def test_the_facts_of_a_thread_are_no_state(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    assert server.post("/threads/t/runs/wait", NEW).status_code == 200
    where = {"checkpoint_ns": "__streamgraph_thread__"}
    for path in ("/state/checkpoint", "/state", "/history"):
        assert server.post(f"/threads/t{path}", {"checkpoint": where, "values": {}}).status_code == 422
    assert server.get("/threads/t").status_code == 200


def test_no_configurable_is_smuggled_in(serving: Serving) -> None:
    seen: Dict[str, Any] = {}

    def note(state: Any, config: Any) -> None:
        seen.update(config["configurable"])

    server = serving({"agent": one_node(note, "note")})
    for key, status in (
        ("base_url", 422), ("thread_id", 200), ("checkpoint_ns", 200), ("__pregel_read", 200),
        ("langgraph_auth_user", 200), ("langgraph_auth_user_id", 200), ("checkpoint_map", 200),
        ("graph_id", 200), ("x-key", 200),
    ):  # fmt: skip
        seen.clear()
        body = {**NEW, "config": {"configurable": {key: "smuggled"}, "store": 1, "cache": 1, "max_concurrency": 1}}
        assert server.post("/threads/t/runs/wait", body).status_code == status
        assert "smuggled" not in [value for value in seen.values() if isinstance(value, str)]


def test_heads_of_requests_are_short_and_come_in_time(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serving({"agent": speaking()})

    def answer(*sent: bytes) -> bytes:
        """What comes; each part but the first is sent when the one before has been answered."""
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
            pieces = []
            for place, part in enumerate(sent):
                if place:
                    pieces.append(connection.recv(4096))
                    monkeypatch.setattr(LimitedProtocol, "head_timeout", 0.2)
                connection.sendall(part)
            return b"".join([*pieces, *iter(lambda: connection.recv(4096), b"")])

    whole = b"GET /ok HTTP/1.1\r\nhost: localhost\r\n\r\n"
    long = b"GET /ok HTTP/1.1\r\nhost: localhost\r\nx-long: " + b"x" * 40_000
    assert answer(long).startswith(b"HTTP/1.1 400")
    assert answer(whole, whole[:30]).count(b"HTTP/1.1 200") == 1
    assert answer(b"") == b"" and answer(whole[:30]) == b""  # closed without an answer


def test_a_stream_outlives_the_time_for_heads(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)}, heartbeat=0.05)
    server.get("/ok")
    monkeypatch.setattr(LimitedProtocol, "head_timeout", 0.3)
    (kept,) = server.server.server_state.connections
    request = httpx.Request("POST", f"{server.url}/runs/stream", json=BODY, headers={"connection": "close"})
    head = "POST /runs/stream HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    asked = threading.Event()
    kept.loop.call_soon_threadsafe(asked.wait, PATIENCE)  # so that the request is there when its time begins
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(head.encode() + b"\r\n" + request.content)
        asked.set()
        text = b""
        for piece in iter(lambda: connection.recv(4096), b""):
            text += piece
            if text.count(b": heartbeat") >= 8:
                gate.open_all()
    assert b"event: end" in text
