"""Threads outlive the server that made them, and several servers can have the same ones."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde import jsonplus
from langgraph.checkpoint.sqlite import SqliteSaver
from starlette.requests import Request

from server.graphs import HI, asking, failing, one_node, speaking
from server.loopback import Loopback
from streamgraph.named import saver_named
from streamgraph_server import _thread_facts
from support.savers import new_database

Serving = Callable[..., Loopback]
NEW = {"if_not_exists": "create", "input": HI}


async def by_header(request: Request) -> Optional[str]:
    """The user whom a header names."""
    return request.headers.get("x-user")


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: Any, tmp_path: Path) -> str:
    """A database of its own, as the command line names it."""
    if request.param == "sqlite":
        pytest.importorskip("langgraph.checkpoint.sqlite.aio")
        return f"sqlite:{tmp_path / 'threads.db'}"
    return str(new_database())


def ids(server: Loopback, path: str = "search", **body: Any) -> List[str]:
    """The threads that a search finds."""
    answer = server.post("/threads/search", body)
    assert answer.status_code == 200, answer.text
    return [thread["thread_id"] for thread in answer.json()]


@pytest.mark.slow
def test_another_server_knows_the_threads(serving: Serving, address: str) -> None:
    graphs = {"agent": speaking(), "asking": asking(), "failing": failing(KeyError("no"))}
    saver = saver_named(address)
    first = serving(graphs, checkpointer=saver)
    assert first.post("/threads", {"thread_id": "empty", "metadata": {"of": "mine"}}).status_code == 200
    for name in ("agent", "asking", "failing"):
        assert first.post(f"/threads/{name}/runs/wait", {**NEW, "assistant_id": name}).status_code == 200
    assert first._client.patch("/threads/agent", json={"metadata": {"title": "a \x00"}}).status_code == 200
    shown = {name: first.get(f"/threads/{name}").json() for name in ("empty", "agent", "asking", "failing")}
    assert [thread["status"] for thread in shown.values()] == ["idle", "idle", "interrupted", "error"]

    # A second server beside the first one, and a third after both.
    for end in (False, True):
        if end:
            first.stop()
        server = serving(graphs, checkpointer=saver)
        assert {name: server.get(f"/threads/{name}").json() for name in shown} == shown
        assert sorted(ids(server)) == sorted(shown)
        assert ids(server, sort_by="thread_id", sort_order="asc", limit=2, offset=1) == ["asking", "empty"]
        assert ids(server)[:1] == ["agent"]  # it was changed last
        assert ids(server, metadata={"of": "mine"}) == ["empty"] and ids(server, metadata={"of": "yours"}) == []
        assert ids(server, metadata={"graph_id": "asking"}) == ids(server, status="interrupted") == ["asking"]
        assert ids(server, status="error") == ["failing"] and ids(server, ids=["agent", "none"]) == ["agent"]
        messages = shown["asking"]["values"]["messages"]
        assert sorted(ids(server, values={"messages": messages})) == ["asking"]
        assert [server.post("/threads/count", body).json() for body in ({}, {"status": "idle"})] == [4, 2]
        (chosen,) = server.post("/threads/search", {"ids": ["agent"], "select": ["metadata", "status"]}).json()
        assert set(chosen) == {"thread_id", "metadata", "status"}
        assert chosen["metadata"]["title"].startswith("a \x00")
        assert len(server.get("/threads/agent/history").json()) == 3
        assert server.get("/threads/asking/state").json()["next"] == ["ask"]
    answer = server.post("/threads/asking/runs/wait", {"assistant_id": "asking", "command": {"resume": "yes"}}).json()
    assert answer["messages"][-1]["content"] == "you said yes"
    other = serving(graphs, checkpointer=saver)
    assert other.get("/threads/asking").json()["status"] == "idle"

    # What one of them changes or deletes, the other one sees.
    assert server._client.patch("/threads/agent", json={"metadata": {"seen": 1}}).status_code == 200
    assert other.get("/threads/agent").json()["metadata"]["seen"] == 1
    assert other._client.delete("/threads/agent").status_code == 204
    assert server.get("/threads/agent").status_code == 404 and "agent" not in ids(server)
    assert server.post("/threads/agent/runs", {"assistant_id": "agent", "input": HI}).status_code == 404


def test_what_a_program_has_saved_is_found(serving: Serving, tmp_path: Path) -> None:
    path = str(tmp_path / "threads.db")
    with SqliteSaver.from_conn_string(path) as saver:
        graph = one_node(lambda state: {"messages": [("ai", "yes")]}).copy(update={"checkpointer": saver})
        for thread in ("one", "two"):
            graph.invoke(HI, {"configurable": {"thread_id": thread}})
        server = serving({"agent": speaking()}, checkpointer=saver_named(f"sqlite:{path}"))
        assert server.get("/threads/two").json()["values"]["messages"][-1]["content"] == "yes"
        assert ids(server) == ["two", "one"]
        graph.invoke(HI, {"configurable": {"thread_id": "three"}})
        assert ids(server) == ["three", "two", "one"]
        assert server._client.delete("/threads/two").status_code == 204
        assert ids(server) == ["three", "one"]
        # A saver without async methods serves as well, and with a login nobody gets what nobody owns.
        assert serving({"agent": speaking()}, checkpointer=saver).get("/threads/one").status_code == 200
        closed = serving({"agent": speaking()}, checkpointer=saver, auth=by_header)
        anna = {"headers": {"x-user": "anna"}}
        assert closed.get("/threads/one", **anna).status_code == 404
        assert closed.post("/threads/search", {}, **anna).json() == []
        assert closed.post("/threads/one/runs", {**NEW, "assistant_id": "agent"}, **anna).status_code == 409


def test_whose_a_thread_is_outlives_the_server(serving: Serving) -> None:
    saver = InMemorySaver()
    options: Dict[str, Any] = {"checkpointer": saver, "auth": by_header}
    anna, bert = ({"headers": {"x-user": name}} for name in ("anna", "bert"))
    body = {**NEW, "assistant_id": "agent", "metadata": {"owner": "bert"}, "config": {"metadata": {"owner": "bert"}}}
    first = serving({"agent": speaking()}, **options)
    assert first.post("/threads/t/runs/wait", body, **anna).status_code == 200
    assert first.post("/threads", {"thread_id": "u", "metadata": {"owner": "bert"}}, **anna).status_code == 200
    first.stop()
    server = serving({"agent": speaking()}, **options)
    for thread in ("t", "u"):
        for path in ("", "/state", "/history", "/runs"):
            assert server.get(f"/threads/{thread}{path}", **bert).status_code == 404
        gc.collect()
        for path, given in (("/threads", {"thread_id": thread}), (f"/threads/{thread}/runs", body)):
            assert server.post(path, given, **bert).status_code == 409
        assert server.post(f"/threads/{thread}/runs", {"assistant_id": "agent"}, **bert).status_code == 404
        assert (
            server.post(f"/agui/{'agent'}", {"threadId": thread, "runId": "r", "messages": []}, **bert).status_code
            > 400
        )
        assert server.get(f"/threads/{thread}", **anna).status_code == 200
    assert server.post("/threads/search", {}, **bert).json() == []
    assert len(server.post("/threads/search", {}, **anna).json()) == 2
    # Nor does a server without a login show what belongs to somebody.
    assert serving({"agent": speaking()}, checkpointer=saver).post("/threads/search", {}).json() == []


def test_a_thread_that_two_servers_make_is_one_users(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    saver = InMemorySaver()
    one, two = (serving({"agent": speaking()}, checkpointer=saver, auth=by_header) for _ in range(2))
    find = two.app.state.service.threads.find

    async def late(thread: str, **options: Any) -> Any:
        found = await find(thread, **options)
        assert one.post("/threads", {"thread_id": thread}, headers={"x-user": "anna"}).status_code == 200
        return found

    monkeypatch.setattr(two.app.state.service.threads, "find", late)
    assert two.post("/threads", {"thread_id": "t"}, headers={"x-user": "bert"}).status_code == 409
    monkeypatch.undo()
    assert two.get("/threads/t", headers={"x-user": "bert"}).status_code == 404
    assert two.get("/threads/t", headers={"x-user": "anna"}).status_code == 200


def test_graphs_with_savers_of_their_own(serving: Serving) -> None:
    saver, own = InMemorySaver(), InMemorySaver()
    graphs = {"agent": speaking(), "own": speaking().copy(update={"checkpointer": own})}
    first = serving(graphs, checkpointer=saver)
    first.post("/threads", {"thread_id": "t", "metadata": {"of": "mine"}})
    assert first.post("/threads/t/runs/wait", {"assistant_id": "own", "input": HI}).status_code == 200
    second = serving(graphs, checkpointer=saver)
    found = second.get("/threads/t").json()
    assert found["metadata"] == {"of": "mine", "graph_id": "own", "assistant_id": found["metadata"]["assistant_id"]}
    assert len(found["values"]["messages"]) == 2 and ids(second) == ["t"]
    assert second._client.delete("/threads/t").status_code == 204
    assert saver.storage["t"] == {} and own.storage["t"] == {}


def test_a_saver_that_cannot_list(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    class Poor(InMemorySaver):
        def alist(self, *args: Any, **options: Any) -> Any:
            raise NotImplementedError

        def list(self, *args: Any, **options: Any) -> Any:
            raise NotImplementedError

    server = serving({"agent": speaking()}, checkpointer=Poor())
    assert server.post("/threads/t/runs/wait", {**NEW, "assistant_id": "agent"}).status_code == 200
    assert ids(server) == []
    assert "cannot list threads" in caplog.text
    caplog.clear()


def test_what_a_search_refuses(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    for key, given in (
        ("status", "bussy"), ("sort_by", "name"), ("sort_order", "up"), ("select", ["secret"]), ("ids", 1),
        ("extract", {"a": "b"}), ("limit", -1), ("metadata", []),
    ):  # fmt: skip
        answer = server.post("/threads/search", {key: given})
        assert answer.status_code == 422 and key in answer.json()["detail"]
    assert server.post("/threads", {"if_exists": "overwrite"}).status_code == 422


def test_a_time_that_is_none() -> None:
    assert _thread_facts.seconds("2020-01-01T00:00:00+00:00") == 1577836800
    assert _thread_facts.seconds("x") > 1577836800


@pytest.mark.slow
def test_a_list_of_threads_is_read_without_langgraph(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its serializer would warn of each question: these are stored under LangGraph's name."""
    monkeypatch.setitem(sys.modules, "langgraph.types", None)
    monkeypatch.setattr(jsonplus, "_warned_unreconstructable_types", set(), raising=False)
    pytest.importorskip("langgraph.checkpoint.sqlite.aio")
    saver = saver_named(f"sqlite:{tmp_path / 'threads.db'}")
    first = serving({"asking": asking()}, checkpointer=saver)
    assert first.post("/threads/t/runs/wait", {**NEW, "assistant_id": "asking"}).status_code == 200
    assert ids(first) == ["t"]
    assert ids(serving({"asking": asking()}, checkpointer=saver)) == ["t"]  # and no complaint in the log
