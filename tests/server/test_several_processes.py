"""Several server processes with the same events and the same saver are one server: any of them serves any run."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple
from uuid import uuid4

import httpx
import pytest
from starlette.requests import Request

from server.graphs import HI, TEXT, asking, failing, full_of_events, speaking
from server.loopback import Event, Loopback, events_in, raw_request
from streamgraph.errors import UnknownOptionError
from streamgraph.named import saver_named
from streamgraph.runs import RunOrder, read_order
from streamgraph.testing import Gate
from streamgraph_integrations.redis_events import RedisEvents
from streamgraph_server import serve
from support.redis_servers import Server
from support.waiting import PATIENCE, eventually, soon

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

Serving = Callable[..., List[Loopback]]
RUN = {"assistant_id": "agent", "input": HI}
ROLLBACK = {"multitask_strategy": "rollback"}


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the events."""
    with Server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def serving(redis: Server, tmp_path: Path) -> Iterator[Serving]:
    """Serve graphs twice, as two processes would; a list of graphs has one for each."""
    servers: List[Loopback] = []
    made: List[RedisEvents] = []
    prefix = f"test{uuid4().hex}"

    def make(graphs: Any, url: str = redis.url, events: Optional[Dict[str, Any]] = None, **options: Any) -> Any:
        each = graphs if isinstance(graphs, list) else [graphs, graphs]
        for graph in each:
            made.append(RedisEvents(url, prefix=prefix, **(events or {})))
            saver = saver_named(f"sqlite:{tmp_path / 'threads.db'}")
            given = {"agent": graph}
            servers.append(Loopback(serve(given, checkpointer=saver, events=made[-1], **{"drain": 0.5, **options})))
        return servers

    yield make
    for server in servers:
        server.stop()
    for events in made:
        events.close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that a model waits at before each token."""
    with Gate(timeout=PATIENCE) as made:
        yield made


def stream(server: Loopback, path: str, last: Optional[str] = "-1", body: Any = None, **headers: str) -> List[Event]:
    """All events of a stream."""
    if last is not None:
        headers["last-event-id"] = last
    method = "GET" if body is None else "POST"
    with server._client.stream(method, path, headers=headers, json=body) as response:
        assert response.status_code == 200, response.read()
        return events_in("".join(response.iter_text()))


def first_of(server: Loopback, path: str, last: str) -> Optional[Event]:
    """The first event of a stream; `None` if it ends without one."""
    headers = {"last-event-id": last}
    with server._client.stream("GET", path, headers=headers) as response:
        text = ""
        for piece in response.iter_text():
            text += piece
            found = events_in(text.rpartition("\n\n")[0])
            if found:
                return found[0]
    return None


def started(server: Loopback, thread: str = "t", **more: Any) -> Dict[str, Any]:
    """A run in the background."""
    made: Dict[str, Any] = server.post(f"/threads/{thread}/runs", {**RUN, "if_not_exists": "create", **more}).json()
    assert "run_id" in made, made
    return made


@pytest.mark.parametrize("graph", [full_of_events, lambda: failing(ValueError("no")), asking])
def test_every_process_shows_the_same_events_under_the_same_ids(serving: Serving, graph: Any) -> None:
    """Also of a run that fails, or that ends with a question; a client may go on at any of them after each event."""
    servers = serving(graph())
    modes = "stream_mode=messages-tuple&stream_mode=updates&stream_mode=custom&stream_mode=values&stream_mode=tasks"
    run = started(servers[0], stream_mode=["messages-tuple", "tasks"], stream_subgraphs=True)
    path = f"/threads/t/runs/{run['run_id']}/stream?{modes}"
    whole = stream(servers[0], path)
    assert stream(servers[1], path) == whole
    timed = servers[0].get(f"{path}&times=true", headers={"last-event-id": "-1"}).text
    assert timed.count("\nat: ") == len(whole)
    hopping: List[Event] = []
    while len(hopping) < len(whole):
        found = first_of(servers[len(hopping) % 2], path, hopping[-1].id or "" if hopping else "-1")
        assert found is not None
        hopping.append(found)
    assert hopping == whole
    assert servers[1].get(f"/threads/t/runs/{run['run_id']}/join").json() == (
        servers[0].get(f"/threads/t/runs/{run['run_id']}/join").json()
    )


def test_a_client_that_hops_while_the_run_goes_on(serving: Serving, gate: Gate) -> None:
    """Each event comes once, from whichever process."""
    servers = serving([speaking(gate=gate), speaking()])
    run = started(servers[0], stream_mode=["messages-tuple"])
    path = f"/threads/t/runs/{run['run_id']}/stream?stream_mode=messages-tuple"
    found: List[Event] = []
    last = "-1"
    for turn in range(100):
        event = first_of(servers[turn % 2], path, last)
        assert event is not None
        found.append(event)
        last = event.id or ""
        if event.event == "end":
            break
        gate.open()
    assert found == stream(servers[1], path)
    assert "".join(event.data[0]["content"] for event in found if event.event == "messages") == TEXT


def test_what_is_noted_about_a_run_is_known_to_all(serving: Serving, gate: Gate) -> None:
    servers = serving([speaking(gate=gate), speaking()])
    run = started(servers[0], metadata={"note": "ü"}, multitask_strategy="reject")
    one, all_of_it = f"/threads/t/runs/{run['run_id']}", "/threads/t/runs"
    seen = servers[1].get(one).json()
    assert (seen["metadata"]["note"], seen["status"], seen["multitask_strategy"]) == ("ü", "running", "reject")
    assert [each["run_id"] for each in servers[1].get(all_of_it).json()] == [run["run_id"]]
    assert servers[1].get("/threads/t").json()["status"] == "busy"
    gate.open_all()
    servers[1].get(f"{one}/join")
    assert [server.get(one).json()["status"] for server in servers] == ["success"] * 2
    assert [server.get("/threads/t").json()["status"] for server in servers] == ["idle"] * 2
    assert [server.get(one).json()["created_at"] for server in servers] == [run["created_at"]] * 2
    assert servers[1]._client.delete(one).status_code == 204
    assert [server.get(all_of_it).json() for server in servers][1] == []


@pytest.mark.parametrize("begins", [True, False])
def test_a_run_is_cancelled_from_elsewhere(serving: Serving, gate: Gate, begins: bool) -> None:
    """Also one that waits for its turn."""
    servers = serving([speaking(gate=gate), speaking()])
    first = started(servers[0])
    gate.wait_for_arrival()
    run = first if begins else started(servers[0])
    one = f"/threads/t/runs/{run['run_id']}"
    assert servers[1].post(f"{one}/cancel?wait=1").status_code == 204
    assert [server.get(one).json()["status"] for server in servers] == ["interrupted"] * 2
    assert [event.event for event in stream(servers[1], f"{one}/stream")][-1] == "error"
    if not begins:
        assert servers[1].post(f"/threads/t/runs/{first['run_id']}/cancel?wait=1").status_code == 204


def test_runs_of_a_thread_wait_for_each_other(serving: Serving, gate: Gate) -> None:
    """Whichever process they were started at."""
    servers = serving([speaking(gate=gate), speaking()])
    first = started(servers[0])
    second, third = started(servers[1]), started(servers[0])
    assert [servers[0].get(f"/threads/t/runs/{run['run_id']}").json()["status"] for run in (first, second, third)] == [
        "running",
        "pending",
        "pending",
    ]
    refused = servers[1].post("/threads/t/runs", {**RUN, "multitask_strategy": "reject"})
    assert (refused.status_code, first["run_id"] in refused.text) == (409, True)
    gate.open_all()
    result = servers[1].get(f"/threads/t/runs/{third['run_id']}/join").json()
    assert [message["content"] for message in result["messages"]] == ["hi", TEXT] * 3
    assert len(servers[1].get("/threads/t/runs").json()) == 3  # what was refused is unknown


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
def test_a_run_that_does_not_want_to_wait(serving: Serving, gate: Gate, strategy: str) -> None:
    servers = serving([speaking(gate=gate), speaking()])
    first = started(servers[0])
    gate.wait_for_arrival()
    result = servers[1].post("/threads/t/runs/wait", {**RUN, "multitask_strategy": strategy}).json()
    kept = ["hi"] if strategy == "interrupt" else []
    assert [message["content"] for message in result["messages"]] == [*kept, "hi", TEXT]
    for server in servers:
        status = 200 if strategy == "interrupt" else 404
        eventually(lambda: server.get(f"/threads/t/runs/{first['run_id']}").status_code == status)  # noqa: B023


def test_a_question_is_answered_elsewhere(serving: Serving) -> None:
    """One of a run that waits where it has asked, and one of a run that has ended with it."""
    servers = serving(asking())
    run = started(servers[0], interrupts="live", stream_mode=["tasks"])
    one = f"/threads/t/runs/{run['run_id']}"
    question = servers[0].runs.find(run["run_id"], None).handle
    eventually(lambda: question.questions)
    given = {"id": question.questions[0].id, "value": "yes"}
    assert servers[1].post(f"{one}/answers", {**given, "id": "other"}).status_code == 422
    assert servers[1].post(f"{one}/answers", given).status_code == 204
    assert servers[1].get(f"{one}/join").json()["messages"][-1]["content"] == "you said yes"
    started(servers[0], "u")
    eventually(lambda: servers[1].get("/threads/u").json()["status"] == "interrupted")
    body = {"assistant_id": "agent", "command": {"resume": "no"}}
    assert servers[1].post("/threads/u/runs/wait", body).json()["messages"][-1]["content"] == "you said no"


async def user(request: Request) -> Optional[str]:
    """Who asks."""
    return request.headers.get("x-user")


def test_another_user_finds_nothing_in_any_process(serving: Serving, gate: Gate) -> None:
    servers = serving([speaking(gate=gate), speaking()], auth=user)
    ada, bob = {"x-user": "ada"}, {"x-user": "bob"}
    body = {**RUN, "if_not_exists": "create"}
    run = servers[0].post("/threads/t/runs", body, headers=ada).json()["run_id"]
    alone = servers[0].post("/runs", RUN, headers=ada).json()["run_id"]
    for path in (f"/threads/t/runs/{run}", f"/threads/t/runs/{run}/stream", f"/runs/{alone}", f"/runs/{alone}/stream"):
        assert servers[1].get(path, headers=bob).status_code == 404
    assert servers[1].post(f"/runs/{alone}/cancel", headers=bob).status_code == 404
    assert servers[1].post("/runs/cancel", {"status": "all"}, headers=bob).status_code == 204
    assert servers[1].get(f"/runs/{alone}", headers=ada).json()["status"] in ("pending", "running")
    assert servers[1].get(f"/v1/responses/resp_{alone}", headers=bob).status_code == 404
    assert servers[1].post("/runs/cancel", {"status": "all"}, headers=ada).status_code == 204
    for path in (f"/runs/{run}", f"/runs/{alone}"):
        eventually(lambda: servers[1].get(path, headers=ada).json()["status"] == "interrupted")  # noqa: B023


def test_responses_are_read_and_continued_elsewhere(serving: Serving) -> None:
    servers = serving(speaking())
    body = {"model": "agent", "input": "hi", "background": True, "instructions": "be kind", "metadata": {"a": "b"}}
    made = servers[0].post("/v1/responses", body).json()
    path = f"/v1/responses/{made['id']}"
    eventually(lambda: servers[1].get(path).json()["status"] == "completed")
    assert servers[1].get(path).json() == servers[0].get(path).json()
    assert servers[1].get(path).json()["metadata"] == {"a": "b"}
    whole = stream(servers[0], f"{path}?stream=true", None)
    hopping: List[Event] = []
    while len(hopping) < len(whole):
        after = f"&starting_after={len(hopping) - 1}" if hopping else ""
        found = first_of(servers[len(hopping) % 2], f"{path}?stream=true{after}", "")
        assert found is not None
        hopping.append(found)
    assert hopping == whole
    more = servers[1].post("/v1/responses", {"model": "agent", "input": "more", "previous_response_id": made["id"]})
    assert more.json()["status"] == "completed"


def test_a_chat_is_read_again_and_stopped_elsewhere(serving: Serving, gate: Gate) -> None:
    servers = serving([speaking(gate=gate), speaking()])
    body = {"id": "c", "messages": [{"id": "m", "role": "user", "parts": [{"type": "text", "text": "hi"}]}]}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(stream, servers[0], "/chat/agent?on_disconnect=continue", None, body)
        gate.wait_for_arrival()
        again = pool.submit(stream, servers[1], "/chat/agent/c/stream", None)
        eventually(lambda: sum(run.readers for run in servers[1].runs.shared._known.values()) == 1)
        gate.open_all()
        assert again.result() == first.result()
    assert servers[1].get("/chat/agent/c/stream").status_code == 204


def test_the_last_client_of_all_processes_ends_a_run(serving: Serving, gate: Gate) -> None:
    """One that reads elsewhere keeps a run alive that is cancelled when nobody reads it."""
    servers = serving([speaking(gate=gate), speaking()])
    body = {**RUN, "on_disconnect": "cancel", "if_not_exists": "create"}
    url = f"{servers[0].url}/threads/t/runs/stream"
    with httpx.stream("POST", url, json=body, timeout=PATIENCE) as begun:
        path = begun.headers["location"]
        gate.wait_for_arrival()
        with httpx.stream("GET", servers[1].url + path, timeout=PATIENCE):
            run = servers[0].runs.find(path.split("/")[4], None)
            eventually(lambda: run.is_read_elsewhere())
            begun.close()
            eventually(lambda: run.readers == 0)
            assert run.status == "running"
    eventually(lambda: servers[1].get(path.rpartition("/")[0]).json()["status"] == "interrupted")


def command(server: Loopback, thread: str, method: str, **params: Any) -> Dict[str, Any]:
    """Send a command of the thread stream."""
    found: Dict[str, Any] = server.post(
        f"/threads/{thread}/commands", {"id": 1, "method": method, "params": params}
    ).json()
    assert found["type"] == "success", found
    return found


def thread_events(server: Loopback, thread: str, runs: int, since: int = 0) -> List[Tuple[int, str, Any]]:
    """The events of a thread until so many runs have ended."""
    found: List[Tuple[int, str, Any]] = []
    body = {"channels": ["lifecycle", "messages", "values", "updates", "tasks", "checkpoints"], "since": since}
    with server._client.stream("POST", f"/threads/{thread}/stream/events", json=body) as response:
        text = ""
        for piece in response.iter_text():
            text += piece
            whole, _, text = text.rpartition("\n\n")
            for event in events_in(whole):
                data = event.data
                if "seq" not in data:  # what is said to all, beside the events
                    continue
                found.append((data["seq"], data["event_id"], data["params"]["data"]))
                is_end = event.event == "lifecycle" and not data["params"]["namespace"]
                runs -= is_end and data["params"]["data"]["event"] != "running"
            if not runs:
                return found
    raise AssertionError(found)


def test_the_events_of_a_thread_have_the_same_numbers_everywhere(serving: Serving) -> None:
    """Whoever started its runs, and whoever came when."""
    servers = serving(full_of_events())
    with ThreadPoolExecutor() as pool:
        early = pool.submit(thread_events, servers[1], "t", 2)
        command(servers[0], "t", "run.start", assistant_id="agent", input=HI)
        eventually(lambda: servers[0].get("/threads/t").json()["status"] == "idle")
        command(servers[1], "t", "run.start", assistant_id="agent", input=HI)
        whole = early.result()
    assert [seq for seq, _, _ in whole] == sorted({seq for seq, _, _ in whole})
    late = thread_events(servers[0], "t", 1, since=whole[len(whole) // 2 + 5][0])
    assert late == [event for event in whole if event[0] >= late[0][0]]
    third = serving([full_of_events()])[-1]  # a process that has seen nothing of it
    last = command(third, "t", "state.get")["meta"]["applied_through_seq"]
    assert last == whole[-1][0]
    assert thread_events(third, "t", 1, since=late[0][0]) == late[1:]
    command(third, "t", "run.start", assistant_id="agent", input=HI)
    eventually(lambda: third.get("/threads/t").json()["status"] == "idle")
    after = [thread_events(server, "t", 1, since=last) for server in servers]
    assert after[0] == after[1] == after[2]
    assert after[0][0][0] == last + 1


def test_what_a_graph_refuses_is_not_left_behind(serving: Serving) -> None:
    servers = serving(speaking())
    assert servers[0].post("/threads", {"thread_id": "t"}).status_code == 200
    refused = servers[0].post("/threads/t/runs", {**RUN, "input": 3})
    assert refused.status_code == 422, refused.text
    assert servers[1].get("/threads/t/runs").json() == []
    assert servers[1].get("/threads/t").json()["status"] == "idle"


def test_redis_is_not_there(serving: Serving, tmp_path: Path) -> None:
    """Requests are refused with what is wrong; when it is there again they work."""
    with Server(tmp_path, appends=True) as own:
        servers = serving(speaking(), url=own.url, events={"patience": 0.3})
        own.kill()
        refused = servers[0].post("/threads/t/runs", {**RUN, "if_not_exists": "create"})
        assert (refused.status_code, "Redis could not" in refused.text) == (503, True), refused.text
        assert servers[1].get(f"/threads/t/runs/{uuid4()}").status_code == 503
        own.begin()
        assert servers[1].post("/runs/wait", RUN).json()["messages"][-1]["content"] == TEXT


def test_redis_is_killed_in_the_middle_and_started_again(serving: Serving, tmp_path: Path, gate: Gate) -> None:
    """With what it has written to the disk, no reader loses, doubles or reorders an event."""
    with Server(tmp_path, appends=True) as own:
        servers = serving([speaking(gate=gate), speaking()], url=own.url)
        run = started(servers[0], stream_mode=["messages-tuple"])
        path = f"/threads/t/runs/{run['run_id']}/stream?stream_mode=messages-tuple"
        with ThreadPoolExecutor() as pool:
            reading = [pool.submit(stream, server, path) for server in servers]
            gate.open()
            gate.wait_for_arrival()
            own.kill()
            gate.open()
            own.begin()
            gate.open_all()
            here, there = (each.result() for each in reading)
        assert there == here == stream(servers[1], path)
        assert "".join(event.data[0]["content"] for event in here if event.event == "messages") == TEXT


def test_many_readers_of_another_process(serving: Serving, redis: Server, gate: Gate) -> None:
    """Hundreds of clients cost one connection to Redis at most beside those that are there anyway."""
    servers = serving([speaking(gate=gate), speaking()])
    run = started(servers[0], stream_mode=["messages-tuple"])
    path = f"/threads/t/runs/{run['run_id']}/stream?stream_mode=messages-tuple"
    with redis.client() as client:
        before = client.info("clients")["connected_clients"]

        async def read() -> Any:
            head = f"GET {path} HTTP/1.1\nhost: localhost\nlast-event-id: -1\nconnection: close"
            reading = [asyncio.ensure_future(raw_request(servers[1].port, head)) for _ in range(500)]
            await soon(lambda: sum(run.readers for run in servers[1].runs.shared._known.values()) == 500)
            assert client.info("clients")["connected_clients"] <= before + 10
            gate.open_all()
            return await asyncio.gather(*reading)

        found = asyncio.run(read())
    assert {(status, body.count(b"event: messages"), body.count(b"event: end")) for status, body in found} == {
        (200, 5, 1)
    }


def test_a_process_that_ends_leaves_the_runs_of_others_alone(serving: Serving, gate: Gate) -> None:
    """Its clients go on elsewhere: their streams end without an end of the run."""
    servers = serving([speaking(gate=gate), speaking()])
    run = started(servers[0], stream_mode=["messages-tuple"])
    path = f"/threads/t/runs/{run['run_id']}/stream?stream_mode=messages-tuple"

    def read() -> List[Event]:
        with httpx.stream("GET", servers[1].url + path, headers={"last-event-id": "-1"}, timeout=PATIENCE) as response:
            return events_in("".join(response.iter_text()))

    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read)
        eventually(lambda: sum(run.readers for run in servers[1].runs.shared._known.values()) == 1)
        gate.open()
        gate.wait_for_arrival()
        servers[1].stop()
        seen = reading.result()
    servers.pop()
    gate.open_all()
    rest = stream(servers[0], path, seen[-1].id)
    assert "end" not in {event.event for event in seen}
    assert rest[-1].event == "end"
    assert [*seen, *rest] == stream(servers[0], path)


def test_prompts_are_kept_by_the_process_of_the_run(serving: Serving, gate: Gate) -> None:
    """It is asked for them as long as the run goes on."""
    servers = serving([speaking(gate=gate), speaking()])
    body = {**RUN, "if_not_exists": "create", "stream_mode": ["messages-tuple"]}
    run = servers[0].post("/threads/t/runs?prompts=true", body).json()
    one = f"/threads/t/runs/{run['run_id']}"
    gate.open()
    found = first_of(servers[1], f"{one}/stream?stream_mode=messages-tuple", "0-0")
    assert found is not None
    path = f"{one}/prompts/{found.data[1]['run_id']}"
    assert servers[1].get(path).json() == servers[0].get(path).json()
    assert servers[1].get(f"{one}/prompts/other").status_code == 404
    gate.open_all()
    servers[1].get(f"{one}/join")
    eventually(lambda: servers[1].get(path).status_code == 404)


def test_a_dispatcher_needs_events() -> None:
    with pytest.raises(UnknownOptionError, match="A dispatcher needs events"):
        serve({"agent": speaking()}, dispatcher=object())  # type: ignore[arg-type]


class Workers:
    """A dispatcher whose workers are in this process: each takes an order when it is told to."""

    def __init__(self, graph: Any, events: RedisEvents) -> None:
        self.graph, self.events = graph, events
        self.orders: List[str] = []
        self.cancelled: List[str] = []

    async def dispatch(self, order: RunOrder) -> None:
        """Keep an order."""
        self.orders.append(order.to_json())

    async def cancel(self, run_id: str) -> None:
        """Drop an order."""
        self.cancelled.append(run_id)

    async def work(self, place: int = -1, given: Any = ...) -> Any:
        """Begin the run of an order, or go on with it."""
        order = read_order(self.orders[place])
        await self.events.aover(order.after)
        log = await self.events.aopen(order.run_id)
        return await self.graph.astart(order.given if given is ... else given, order.config, log=log, **order.options)


def test_runs_that_workers_drive(redis: Server, gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    """A worker that is lost is followed by another one, whose events are told apart from those before."""
    lost, graph = speaking(gate=gate), speaking()
    prefix = f"test{uuid4().hex}"
    with RedisEvents(redis.url, prefix=prefix, alive=0.5) as events:
        workers = Workers(lost, events)
        with RedisEvents(redis.url, prefix=prefix, alive=0.5) as own, RedisEvents(redis.url, prefix=prefix) as others:
            app = serve({"agent": graph}, events=own, dispatcher=workers, drain=0.1)
            server, other = Loopback(app), Loopback(serve({"agent": graph}, events=others, dispatcher=workers))
            try:
                run = server.post("/runs", {**RUN, "stream_mode": ["messages-tuple"]}).json()
                one = f"/runs/{run['run_id']}"
                assert [each.get(one).json()["status"] for each in (server, other)] == ["pending"] * 2

                async def works() -> None:
                    driven = await workers.work()
                    gate.open()
                    await asyncio.to_thread(gate.wait_for_arrival)
                    reading = [
                        asyncio.ensure_future(asyncio.to_thread(stream, each, f"{one}/stream"))
                        for each in (server, other)
                    ]
                    await asyncio.to_thread(
                        eventually, lambda: sum(each.readers for each in server.runs.shared._known.values()) == 1
                    )
                    events._hub._sender.logs.clear()  # its worker gives no sign of life any more
                    workers.graph = graph
                    await asyncio.sleep(1)
                    assert not reading[0].done()
                    again = await workers.work()
                    await again.ajoin()
                    for events_seen in await asyncio.gather(*reading):
                        attempts = [event.data["attempt"] for event in events_seen if event.event == "metadata"]
                        assert attempts[-1:] == [2]
                        begin = [event.event for event in events_seen].index("metadata", len(attempts) - 1)
                        texts = [event.data[0]["content"] for event in events_seen[begin:] if event.event == "messages"]
                        assert "".join(texts) == TEXT
                        places = [tuple(map(int, (event.id or "").split("-"))) for event in events_seen]
                        assert places == sorted(set(places))
                        assert events_seen[-1].event == "end"
                    driven.cancel()
                    await driven.ajoin()
                    await soon(driven._run.log.all_stored.is_set)
                    caplog.clear()  # it says that its last events were refused

                asyncio.run(works())
                assert stream(server, f"{one}/stream")[0].data["attempt"] == 2
                assert server.get(one).json()["status"] == "success"
                taken_back = server.post("/threads/t/runs", {**RUN, "if_not_exists": "create", **ROLLBACK})
                assert (taken_back.status_code, "use interrupt" in taken_back.text) == (422, True)
                waiting = server.post("/runs", RUN).json()["run_id"]
                assert other.post(f"/runs/{waiting}/cancel?action=rollback").status_code == 422
                assert other.post(f"/runs/{waiting}/cancel?wait=1").status_code == 204
                assert server.get(f"/runs/{waiting}").json()["status"] == "interrupted"
            finally:
                server.stop()
                other.stop()


def test_front_ends_and_the_thread_stream_are_told_of_another_attempt(redis: Server, gate: Gate) -> None:
    """What the lost attempt has shown is an error or ends the stream; who reads again reads the new attempt alone."""
    prefix = f"test{uuid4().hex}"
    with RedisEvents(redis.url, prefix=prefix, alive=0.5) as events, RedisEvents(redis.url, prefix=prefix) as own:
        workers = Workers(None, events)
        server = Loopback(serve({"agent": speaking(gate=gate)}, events=own, dispatcher=workers, drain=0.1))
        try:
            saved = workers.graph = server.app.state.service.saved("agent")
            chat = {"id": "t", "messages": [{"id": "m", "role": "user", "parts": [{"type": "text", "text": "hi"}]}]}

            async def works() -> Tuple[Any, Any]:
                asking = asyncio.ensure_future(
                    asyncio.to_thread(stream, server, "/chat/agent?on_disconnect=continue", None, chat)
                )
                await soon(lambda: workers.orders)
                reading = asyncio.ensure_future(asyncio.to_thread(thread_events, server, "t", 1))
                driven = await workers.work()
                gate.open()
                await asyncio.to_thread(gate.wait_for_arrival)
                log = driven._run.log
                await soon(lambda: log.stored == log.last)
                # Both read the attempt that is lost now.
                known = server.app.state.service.runs.shared._known
                await soon(lambda: [len(run._readers) for run in known.values()] == [2])
                log._wake = lambda log: None  # its worker gives no sign of life any more, and says nothing
                events._hub._sender.logs.clear()
                driven.cancel()
                await driven.ajoin()
                gate.open_all()
                workers.graph = saved
                await (await workers.work()).ajoin()
                return await asking, await reading

            asked, read = asyncio.run(works())
        finally:
            server.stop()
    kinds = [event.data if event.data == "[DONE]" else event.data["type"] for event in asked]
    assert kinds[-2:] == ["error", "[DONE]"]
    assert "attempt 2 goes on" in asked[-2].data["errorText"]
    said = [data["event"] for _, _, data in read if isinstance(data, dict) and isinstance(data.get("event"), str)]
    again = said.index("running", 1)
    assert "error" in said[:again]
    assert said.count("completed") == 1
    assert said[-1] == "completed"
    assert len({event_id for _, event_id, _ in read}) == len(read)
    texts = [
        data["delta"]["text"]
        for _, _, data in read
        if isinstance(data, dict) and data.get("event") == "content-block-delta"
    ]
    assert "".join(texts).endswith(TEXT)
