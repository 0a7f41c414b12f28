"""What a served graph refuses, over real connections."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, Callable, Dict, Optional

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount

from server.graphs import HI, failing, one_node, speaking
from server.loopback import Loopback, raw_request
from streamgraph.graph import StateGraph
from streamgraph.testing import Gate
from streamgraph_server import serve
from streamgraph_server._guard import host_name, is_loopback
from streamgraph_server._refusals import shown_message
from support.waiting import eventually

Serving = Callable[..., Loopback]
BODY = {"assistant_id": "agent", "input": HI}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("app.example", 200),
        ("", 403),
    ],
)
def test_names_of_others_are_not_answered(serving: Serving, host: str, status: int) -> None:
    server = serving({"agent": speaking()}, allowed_hosts=["app.example"])
    assert server.get("/info", headers={"host": host}).status_code == status


def test_pages_of_others_change_nothing(serving: Serving) -> None:
    server = serving({"agent": speaking()}, cors=["https://app.example"])
    for origin, status in (
        ("https://evil.example", 403),
        ("null", 403),
        ("https://app.example", 200),
        (server.url, 200),
    ):
        answer = server.post("/threads", {}, headers={"origin": origin})
        assert answer.status_code == status
    answer = server.post("/runs/stream", BODY, headers={"origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "location" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in server.get("/info", headers={"origin": "https://evil.example"}).headers


def test_bodies_are_json_of_a_limited_size(serving: Serving) -> None:
    server = serving({"agent": speaking()}, max_body=1000)
    client = server._client
    deep = b'{"input": ' + b"[" * 100_000 + b"}"
    cases: Any = [
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b"[]", "application/json", 422),
        (b'{"input": NaN}', "application/json", 422),
        (b'{"input": 1', "application/json", 422),
        (b"\xff", "application/json", 422),
        (b" " * 1001, "application/json", 413),
    ]
    for body, kind, status in cases:
        answer = client.post("/runs/stream", content=body, headers={"content-type": kind})
        assert (answer.status_code, type(answer.json()["detail"])) == (status, str), (body, answer.text)
    chunks = (b" " * 600 for _ in range(3))
    assert client.post("/runs/stream", content=chunks, headers={"content-type": "application/json"}).status_code == 413
    wide = serving({"agent": speaking()})
    answer = wide._client.post("/runs/stream", content=deep, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_half_a_surrogate_does_not_break_a_stream(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    content = json.dumps({**BODY, "input": {"messages": [{"role": "user", "content": "\ud800"}]}})
    answer = server._client.post("/runs/stream", content=content, headers={"content-type": "application/json"})
    assert "event: end" in answer.text


def test_users_see_only_what_is_theirs(serving: Serving) -> None:
    async def auth(request: Request) -> Optional[str]:
        return {"Bearer a": "anna", "Bearer b": "bert"}.get(request.headers.get("authorization", ""))

    seen: Dict[str, Any] = {}

    def note(state: Any, config: Any) -> Any:
        seen["user"] = config["configurable"]["langgraph_auth_user_id"]

    server = serving({"agent": one_node(note, "note"), "ok": speaking()}, auth=auth)
    assert server.post("/agui/ok", {}).status_code == 401
    assert server.get("/assistants/ok").status_code == 401
    anna, bert = ({"headers": {"authorization": f"Bearer {letter}"}} for letter in "ab")
    assert server.get("/ok").status_code == 200
    assert server.post("/threads", {}).status_code == 401
    body = {**BODY, "if_not_exists": "create"}
    answer = server.post("/threads/t/runs/stream", body, **anna)
    again = answer.headers["location"]
    assert seen["user"] == "anna"
    assert server.get(again, **anna).status_code == 200
    for path in ("/threads/t", "/threads/t/state", "/threads/t/runs", again, again.rpartition("/")[0]):
        assert server.get(path, **bert).status_code == 404
    assert server.post("/threads/t/runs/stream", body, **bert).status_code == 409
    assert server.post("/threads", {"thread_id": "t"}, **bert).status_code == 409
    assert server.post("/threads/t/runs/stream", BODY, **bert).status_code == 404
    assert server.post("/threads/search", {}, **bert).json() == []
    server.app.state.service.threads.forget("t")  # as after a new start: the saver knows whose it is
    assert server.get("/threads/t", **bert).status_code == 404
    assert server.get("/threads/t", **anna).status_code == 200


def test_ids_of_users_are_texts(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    async def auth(request: Request) -> Any:
        return 7

    assert serving({"agent": speaking()}, auth=auth).post("/threads", {}).status_code == 500
    assert "auth must return the id of a user as text" in caplog.text
    caplog.clear()


def test_mounted_in_another_application(serving: Serving) -> None:
    async def auth(request: Request) -> Optional[str]:
        return request.headers.get("x-user")

    inner = serve({"agent": speaking()}, auth=auth, drain=0.1)
    site = Starlette(routes=[Mount("/graphs", inner)], lifespan=inner.router.lifespan_context)
    site.state.service = inner.state.service
    server = serving.app(site)  # type: ignore[attr-defined]
    assert server.get("/graphs/ok").status_code == 200
    assert server.get("/graphs/info").status_code == 401
    answer = server.post("/graphs/runs/stream", BODY, headers={"x-user": "anna"})
    assert "event: end" in answer.text
    assert answer.headers["location"].startswith("/runs/")  # clients put the mount's path in front themselves
    assert server.get(f"/graphs{answer.headers['location']}", headers={"x-user": "anna"}).status_code == 200


def test_a_saver_that_is_opened_by_the_lifespan(serving: Serving) -> None:
    opened = []

    @asynccontextmanager
    async def saver() -> AsyncIterator[object]:
        opened.append(True)
        yield InMemorySaver()
        opened.append(False)

    server = serving({"agent": speaking()}, checkpointer=saver)
    body = {**BODY, "if_not_exists": "create"}
    assert server.post("/threads/t/runs/wait", body).status_code == 200
    assert opened == [True]
    server.stop()
    assert opened == [True, False]
    inner = serve({"agent": speaking()}, checkpointer=saver)
    server = serving.app(Starlette(routes=[Mount("/", inner)]))  # type: ignore[attr-defined]
    answer = server.post("/threads/t/runs/wait", body)
    assert answer.status_code == 503 and "lifespan" in answer.json()["detail"]


def test_idle_streams_give_a_sign_of_life(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)}, heartbeat=0.05)
    with server._client.stream("POST", "/runs/stream", json=BODY) as answer:
        found = []
        for line in answer.iter_lines():
            found.append(line)
            if found.count(": heartbeat") == 2:
                gate.open_all()
    assert found[0] == ": connected" and "event: end" in found
    assert answer.headers["cache-control"] == "no-store" and answer.headers["x-accel-buffering"] == "no"


def test_too_many_runs_are_refused(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)}, max_runs=2, max_queued=0)
    for _ in range(2):
        assert server.post("/runs", BODY).status_code == 200
    assert server.post("/runs", BODY).status_code == 429
    gate.open_all()
    eventually(lambda: not server.runs.going_on())
    assert server.post("/runs", BODY).status_code == 200


def test_engine_keys_of_a_config_are_the_servers(serving: Serving) -> None:
    seen: Dict[str, Any] = {}

    def note(state: Any, config: Any) -> Any:
        seen.update(config["configurable"], metadata=config["metadata"])

    server = serving({"agent": one_node(note, "note")}, configurable=["mine"])
    config = {
        "configurable": {"__pregel_send": 1, "checkpoint_ns": "x", "checkpoint_map": {}, "thread_id": "y", "mine": 2},
        "metadata": {"langgraph_step": 9, "own": 1},
        "callbacks": [1],
        "run_id": "z",
    }
    assert server.post("/runs/wait", {**BODY, "config": config}).status_code == 200
    assert seen["mine"] == 2
    assert "x" not in str(seen.get("checkpoint_ns")) and seen.get("thread_id") != "y"
    assert seen["metadata"]["langgraph_step"] == 1 and seen["metadata"]["own"] == 1


def test_errors_may_be_types_only(serving: Serving) -> None:
    server = serving({"agent": failing(KeyError("the secret"))}, errors="type")
    text = server.post("/runs/stream", BODY).text
    assert "KeyError" in text and "secret" not in text


def test_a_request_that_breaks_the_server_gets_json(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    server = serving({"agent": speaking()})
    server.app.state.service.name_of = lambda given: 1 / 0
    answer = server.post("/runs/stream", BODY)
    assert (answer.status_code, answer.json()) == (500, {"detail": "The server has failed; its log says why."})
    assert "ZeroDivisionError" in caplog.text
    caplog.clear()


def test_raw_nonsense_is_an_error(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    status, _ = asyncio.run(raw_request(server.port, "GET /info HTTP/1.1\nHost: evil.example\nConnection: close"))
    assert status == 403


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Incorrect API key provided: sk-proj-abc***def123.", "Incorrect API key provided: <secret>."),
        ("postgresql://me:pass@host/db is away", "postgresql://<secret>@host/db is away"),
        ("Bearer abcdefghijkl", "Bearer <secret>"),
        ("No such file: '/home/me/app/x.py'", "No such file: '<path>'"),
        ("GET https://api.example/v1/models/x failed", "GET https://api.example/v1/models/x failed"),
        ("a/b or 1/2 of it", "a/b or 1/2 of it"),
    ],
)
def test_what_is_shown_of_errors(text: str, shown: str) -> None:
    assert shown_message(ValueError(text)) == shown


def test_names_of_hosts() -> None:
    assert [host_name(host) for host in ("A.b:1", "[::1]:2", "127.0.0.1")] == ["a.b", "::1", "127.0.0.1"]
    assert [is_loopback(name) for name in ("localhost", "127.8.8.8", "::1", "10.0.0.1", "x", "")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


def test_what_cannot_be_served_is_refused() -> None:
    with pytest.raises(ValueError, match="no graph"):
        serve({})
    with pytest.raises(TypeError, match="Compile it first"):
        serve({"agent": StateGraph(dict)})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="langgraph"):
        serve({"agent": speaking()}, protocols=["langgrpah"])
