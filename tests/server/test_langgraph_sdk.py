"""LangGraph's own SDK and `RemoteGraph` as clients, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, List

import pytest
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.store.memory import InMemoryStore
from langgraph_sdk import get_client, get_sync_client

from server.graphs import HI, TEXT, WORDS, agent, asking, failing, full_of_events, one_node, speaking
from server.loopback import Loopback
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import Gate
from support.waiting import eventually, run, soon

Serving = Callable[..., Loopback]


def text_of(parts: List[Any]) -> str:
    """The text of the chunks of a stream."""
    return "".join(part.data[0]["content"] for part in parts if part.event.startswith("messages"))


async def collected(stream: Any) -> List[Any]:
    """All parts of a stream."""
    return [part async for part in stream]


def with_client(server: Loopback, work: Callable[[Any], Any]) -> Any:
    """Do something with a client, and close it."""

    async def main() -> Any:
        client = get_client(url=server.url)
        try:
            return await work(client)
        finally:
            await client.http.client.aclose()

    return run(main())


def test_a_stream_has_every_mode_in_the_order_of_the_run(serving: Serving) -> None:
    server = serving({"agent": full_of_events()})
    modes = ["values", "updates", "custom", "messages-tuple", "tasks"]

    async def work(client: Any) -> Any:
        return await collected(client.runs.stream(None, "agent", input=HI, stream_mode=modes, stream_subgraphs=True))

    parts = with_client(server, work)
    names = [part.event.partition("|")[0] for part in parts]
    assert names[:5] == ["metadata", "values", "tasks", "custom", "updates"]
    assert names[-1] == "end"
    nested = [part for part in parts if part.event.startswith("messages|inner:")]
    assert text_of(nested) == TEXT
    # Older versions of the SDK keep the ids for themselves; test_resuming reads them off the wire.
    ids = [tuple(map(int, part.id.split("-"))) for part in parts if hasattr(part, "id")]
    assert ids == sorted(set(ids))


def test_without_subgraphs_only_the_root_is_shown(serving: Serving) -> None:
    server = serving({"agent": full_of_events()})

    async def work(client: Any) -> Any:
        return await collected(client.runs.stream(None, "agent", input=HI, stream_mode=["messages-tuple", "updates"]))

    parts = with_client(server, work)
    assert not [part for part in parts if "|" in part.event]
    assert text_of(parts) == "the end"


def test_messages_that_grow(serving: Serving) -> None:
    server = serving({"agent": speaking()})

    async def work(client: Any) -> Any:
        return await collected(client.runs.stream(None, "agent", input=HI, stream_mode="messages"))

    parts = with_client(server, work)
    grown = [part.data[0]["content"] for part in parts if part.event == "messages/partial"]
    assert grown[:4] == ["".join(WORDS[: count + 1]) for count in range(4)]
    assert grown[-1] == TEXT
    assert [part.event for part in parts].count("messages/metadata") == 1


def test_a_sync_client_reads_the_same(serving: Serving) -> None:
    server = serving({"agent": speaking(asynchronous=False)})
    client = get_sync_client(url=server.url)
    parts = list(client.runs.stream(None, "agent", input=HI, stream_mode=["messages-tuple", "values"]))
    assert text_of(parts) == TEXT
    assert parts[-2].data["messages"][-1]["content"] == TEXT
    client.http.client.close()


def test_threads_remember_and_can_be_asked_and_changed(serving: Serving) -> None:
    server = serving({"agent": speaking()})

    async def work(client: Any) -> None:
        thread = (await client.threads.create(metadata={"of": "mine"}))["thread_id"]
        for _ in range(2):
            result = await client.runs.wait(thread, "agent", input=HI)
        assert [message["content"] for message in result["messages"]] == ["hi", TEXT] * 2
        state = await client.threads.get_state(thread)
        assert state["values"] == result and state["next"] == [] and state["checkpoint"]["checkpoint_id"]
        history = await client.threads.get_history(thread, limit=20)
        assert history[0]["checkpoint"] == state["checkpoint"] and len(history) == 6
        earlier = await client.threads.get_state(thread, checkpoint_id=history[3]["checkpoint"]["checkpoint_id"])
        assert len(earlier["values"]["messages"]) == 2
        await client.threads.update_state(thread, {"messages": [{"role": "user", "content": "more"}]}, as_node="say")
        assert (await client.threads.get_state(thread))["values"]["messages"][-1]["content"] == "more"
        assert [found["thread_id"] for found in await client.threads.search(metadata={"of": "mine"})] == [thread]
        assert await client.threads.search(metadata={"of": "yours"}) == []
        assert (await client.threads.update(thread, metadata={"seen": True}))["metadata"]["seen"] is True
        assert len(await client.runs.list(thread)) == 2
        await client.threads.delete(thread)
        with pytest.raises(Exception, match="thread"):
            await client.threads.get(thread)

    with_client(server, work)


def test_a_question_is_shown_and_answered(serving: Serving) -> None:
    server = serving({"agent": asking()})

    async def work(client: Any) -> None:
        thread = (await client.threads.create())["thread_id"]
        parts = await collected(client.runs.stream(thread, "agent", input=HI, stream_mode=["updates", "values"]))
        asked = next(part.data["__interrupt__"] for part in parts if "__interrupt__" in (part.data or {}))
        assert asked[0]["value"] == "may I?"
        assert parts[-2].data["__interrupt__"] == asked and parts[-1].event == "end"
        found = await client.threads.get(thread)
        assert found["status"] == "interrupted"
        assert [question["value"] for asked in found["interrupts"].values() for question in asked] == ["may I?"]
        result = await client.runs.wait(thread, "agent", command={"resume": "yes"})
        assert result["messages"][-1]["content"] == "you said yes"
        assert (await client.threads.get(thread))["status"] == "idle"
        assert [run["status"] for run in await client.runs.list(thread)] == ["success", "interrupted"]

    with_client(server, work)


def test_runs_of_a_thread_wait_for_each_other_or_are_refused(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})

    async def work(client: Any) -> None:
        thread = (await client.threads.create())["thread_id"]
        first = await client.runs.create(thread, "agent", input=HI)
        second = await client.runs.create(thread, "agent", input=HI)
        assert [(await client.runs.get(thread, run["run_id"]))["status"] for run in (first, second)] == [
            "running",
            "pending",
        ]
        assert (await client.threads.get(thread))["status"] == "busy"
        with pytest.raises(Exception, match="has a run already|409"):
            await client.runs.create(thread, "agent", input=HI, multitask_strategy="reject")
        gate.open_all()
        result = await client.runs.join(thread, second["run_id"])
        assert len(result["messages"]) == 4
        assert (await client.runs.get(thread, first["run_id"]))["status"] == "success"

    with_client(server, work)


def test_a_run_may_end_those_before_it(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})

    async def work(client: Any) -> None:
        thread = (await client.threads.create())["thread_id"]
        await client.runs.create(thread, "agent", input=HI)
        await soon(lambda: gate.waiting)
        gate.open(1)
        last = await client.runs.create(thread, "agent", input=HI, multitask_strategy="interrupt")
        gate.open_all()
        result = await client.runs.join(thread, last["run_id"])
        assert result["messages"][-1]["content"] == TEXT
        assert [run["status"] for run in await client.runs.list(thread)] == ["success", "interrupted"]

    with_client(server, work)


def test_cancelling_stops_the_model(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})

    async def work(client: Any) -> None:
        thread = (await client.threads.create())["thread_id"]
        begun = await client.runs.create(thread, "agent", input=HI)
        waiting = await client.runs.create(thread, "agent", input=HI)
        await soon(lambda: gate.waiting)
        await client.runs.cancel(thread, waiting["run_id"], wait=True)
        await client.runs.cancel(thread, begun["run_id"], wait=True)
        assert gate.waiting == 0
        assert [run["status"] for run in await client.runs.list(thread)] == ["interrupted", "interrupted"]
        parts = await collected(client.runs.join_stream(thread, begun["run_id"]))
        assert (parts[-1].event, parts[-1].data["error"]) == ("error", "UserInterrupt")

    with_client(server, work)


def test_a_failure_is_an_event_without_what_is_secret(serving: Serving) -> None:
    error = ValueError("key sk-abcdefghijklmnop in /home/me/app.py was wrong")
    server = serving({"agent": failing(error), "quiet": failing(error)})

    async def work(client: Any) -> None:
        parts = await collected(client.runs.stream(None, "agent", input=HI, stream_mode="messages-tuple"))
        assert text_of(parts[:-1]) == "well "
        assert parts[-1].data == {"error": "ValueError", "message": "key <secret> in <path> was wrong"}
        with pytest.raises(Exception, match="key <secret>"):
            await client.runs.wait(None, "agent", input=HI)

    with_client(server, work)


def test_wrong_requests_say_what_is_right(serving: Serving) -> None:
    server = serving({"agent": speaking(), "other": speaking()})
    wrong: List[Any] = [
        ({"assistant_id": "agnet"}, 404, "Did you mean 'agent'"),
        (
            {"assistant_id": "agent", "stream_mode": "tokens"},
            422,
            "custom, tasks, tools, retries, debug, checkpoints, objects, not 'tokens'",
        ),
        ({"assistant_id": "agent", "input": {"messages": [{"role": "user"}]}}, 422, "content"),
        ({"assistant_id": "agent", "input": 3}, 422, "Expected dict"),
        ({"assistant_id": "agent", "input": None}, 422, "input"),
        ({"assistant_id": "agent", "config": {"configurable": {"url": 1}}}, 422, "configurable=['url']"),
        ({"assistant_id": "agent", "config": {"recursion_limit": 10**9}}, 422, "from 0 to 1000"),
        ({"assistant_id": "agent", "webhook": "http://x"}, 422, "webhook"),
        ({"assistant_id": "agent", "context": {"a": 1}}, 422, "context_schema"),
        ({"assistant_id": "agent", "input": {"messages": [{"lc": 1, "type": "constructor", "id": ["x"]}]}}, 422, ""),
        ({"assistant_id": "agent", "multitask_strategy": "rolback", "input": HI}, 422, "enqueue"),
    ]
    for body, status, what in wrong:
        answer = server.post("/runs/stream", body)
        assert (answer.status_code, what in answer.json()["detail"]) == (status, True), answer.text
    assert server.post("/threads/none/runs/stream", {"assistant_id": "agent", "input": HI}).status_code == 404
    assert server.get("/nowhere").json() == {"detail": "Not Found"}
    assert server.get("/runs/stream").status_code == 404
    assert server.runs.going_on() == []


def test_remote_graph_is_a_graph_as_any_other(serving: Serving) -> None:
    server = serving({"agent": speaking(), "failing": failing(ValueError("no"))})
    client = get_sync_client(url=server.url)
    remote = RemoteGraph("agent", sync_client=client)
    assert remote.invoke(HI)["messages"][-1]["content"] == TEXT
    chunks = list(remote.stream(HI, stream_mode=["messages", "values"]))
    assert "".join(chunk.data[0]["content"] for chunk in chunks if chunk.event == "messages") == TEXT
    assert sorted(remote.get_graph().nodes) == ["__end__", "__start__", "say"]
    config: Dict[str, Any] = {"configurable": {"thread_id": "t-1"}}
    remote.invoke(HI, config)
    assert remote.get_state(config).values["messages"][-1]["content"] == TEXT
    with pytest.raises(RemoteException, match="no"):
        RemoteGraph("failing", sync_client=client).invoke(HI)
    around = StateGraph(MessagesState).add_node("remote", lambda state: remote.invoke(state))
    outer = around.add_edge(START, "remote").compile()
    assert outer.invoke(HI)["messages"][-1].content == TEXT
    client.http.client.close()


def test_assistants_describe_the_graphs(serving: Serving) -> None:
    server = serving({"agent": agent(), "other": speaking()})

    async def work(client: Any) -> None:
        first = (await client.assistants.search())[0]
        assert (first["graph_id"], len(await client.assistants.search(graph_id="other"))) == ("agent", 1)
        by_id = await client.assistants.get(first["assistant_id"])
        assert by_id == first
        assert "messages" in (await client.assistants.get_schemas("agent"))["input_schema"]["properties"]
        graph = await client.assistants.get_graph("agent", xray=True)
        assert {"agent", "tools"} <= {node["id"] for node in graph["nodes"]}
        result = await client.runs.wait(None, first["assistant_id"], input=HI)
        assert [message["type"] for message in result["messages"]] == ["human", "ai", "tool", "ai"]

    with_client(server, work)


def test_the_store_of_the_graphs(serving: Serving) -> None:
    def remember(state: Any, store: Any) -> Any:
        store.put(("of", "graph"), "seen", {"text": state["messages"][-1].content})

    server = serving({"agent": one_node(remember, "remember")}, store=InMemoryStore())

    async def work(client: Any) -> None:
        await client.runs.wait(None, "agent", input=HI)
        assert (await client.store.get_item(("of", "graph"), "seen"))["value"] == {"text": "hi"}
        await client.store.put_item(("of", "client"), "one", {"n": 1})
        found = (await client.store.search_items(("of",), limit=10))["items"]
        assert sorted(item["key"] for item in found) == ["one", "seen"]
        assert len((await client.store.list_namespaces(prefix=["of"]))["namespaces"]) == 2
        await client.store.delete_item(("of", "client"), "one")
        with pytest.raises(Exception, match="item|404"):
            await client.store.get_item(("of", "client"), "one")

    with_client(server, work)

    async def auth(request: Any) -> Any:
        return "anna"

    private = serving({"agent": speaking()}, store=InMemoryStore(), auth=auth)
    assert private.post("/store/items/search", {"namespace_prefix": []}).status_code == 403
    assert private.post("/store/items/search", {"namespace_prefix": ["anna"]}).json() == {"items": []}
    assert server.get("/store/items?namespace=a").status_code == 422
    assert serving({"agent": speaking()}).get("/store/items?namespace=a&key=b").status_code == 422


def test_a_client_that_leaves_ends_a_run_without_a_thread(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})

    async def work(client: Any) -> None:
        async for part in client.runs.stream(None, "agent", input=HI):
            assert part.event == "metadata"
            break
        await soon(lambda: server.runs.going_on() == [])

    with_client(server, work)
    assert [run.status for run in server.runs._runs.values()] == ["cancelled"]


@pytest.mark.parametrize("asked", [None, "cancel"])
def test_a_run_of_a_thread_goes_on_unless_asked_to_end(serving: Serving, asked: Any) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})

    async def work(client: Any) -> None:
        options = {} if asked is None else {"on_disconnect": asked}
        async for _ in client.runs.stream("t", "agent", input=HI, if_not_exists="create", **options):
            break
        if asked is None:
            gate.open_all()
        await soon(lambda: server.runs.going_on() == [])

    with_client(server, work)
    assert [run.status for run in server.runs._runs.values()] == ["done" if asked is None else "cancelled"]


def test_one_of_two_readers_may_leave(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})

    async def work(client: Any) -> Any:
        started = await client.runs.create("t", "agent", input=HI, if_not_exists="create")
        run_id = started["run_id"]
        staying = asyncio.ensure_future(
            collected(
                client.runs.join_stream(
                    "t", run_id, stream_mode="messages-tuple", last_event_id="-1", cancel_on_disconnect=True
                )
            )
        )
        found = server.runs._runs[run_id]
        await soon(lambda: found.readers == 1)
        async for _ in client.runs.join_stream("t", run_id, last_event_id="-1", cancel_on_disconnect=True):
            break
        await soon(lambda: found.readers == 1)
        gate.open_all()
        return await staying

    assert text_of(with_client(server, work)) == TEXT


def test_the_shutdown_ends_runs_and_streams(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})

    async def work(client: Any) -> Any:
        stream = client.runs.stream("t", "agent", input=HI, if_not_exists="create")
        parts = []
        async for part in stream:
            parts.append(part)
            if part.event == "metadata":
                server.server.should_exit = True
        return parts

    parts = with_client(server, work)
    assert (parts[-1].event, parts[-1].data["error"]) == ("error", "UserInterrupt")
    eventually(lambda: gate.waiting == 0)
