"""The journal of a thread: what it keeps, for whom, and what a token costs in it."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver

from server.graphs import HI, TEXT, agent, full_of_events, speaking
from server.loopback import Loopback
from server.retracting import retrying, thinking
from server.thread_events import ALL, ending, events, lines, start, texts
from streamgraph.testing import Gate
from streamgraph_server._settings import Settings
from streamgraph_server.orders import Order
from streamgraph_server.protocols.thread_stream import journal as journals
from streamgraph_server.protocols.thread_stream.encoder import ThreadEncoder
from streamgraph_server.protocols.thread_stream.journal import Journal
from streamgraph_server.protocols.thread_stream.wanted import CHANNELS, Wanted
from streamgraph_server.served import ServedRun
from streamgraph_server.service import Service
from streamgraph_server.threads import Thread
from support.waiting import eventually

Serving = Callable[..., Loopback]


async def over(graph: Any, **settings: Any) -> Tuple[Service, ServedRun]:
    """A run that has ended, and where it is known."""
    service = Service({"agent": graph}, Settings(**settings), InMemorySaver(), None)
    await service.open()
    thread = service.threads.add(Thread("t", None, {}))
    order = Order(name="agent", graph=service.saved("agent"), given=HI, config={}, thread=thread, modes=["checkpoints"])
    run = await service.runs.start(order)
    await run.over.wait()
    return service, run


async def recorded(service: Service, run: ServedRun) -> Journal:
    """A new journal with the run."""
    journal = Journal(service.runs)
    journal.expect(run)
    await journal.caught_up()
    return journal


async def sent(journal: Journal, wanted: Optional[Wanted] = None, since: int = 0) -> bytes:
    """All that a client gets until the server ends."""
    journal.close()
    reading = journal.read(wanted or Wanted(CHANNELS), since, 5.0, lambda: True)
    return b"".join([piece async for piece in reading])


def read(stream: bytes) -> List[Any]:
    """The events in a stream."""
    return [json.loads(data) for data in re.findall(rb"data: (.*)", stream)]


@pytest.mark.parametrize("make", [speaking, agent, thinking, full_of_events, retrying])
def test_tokens_are_the_same_however_they_are_written(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        service, run = await over(make())
        quick = await sent(await recorded(service, run))
        monkeypatch.setattr(journals, "tokens_of", lambda part: None)
        slow = await sent(await recorded(service, run))
        at = rb'"timestamp":\d+'
        assert re.sub(at, b"", quick) == re.sub(at, b"", slow)
        await service.close()

    asyncio.run(main())


def test_most_tokens_are_written_without_their_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: List[str] = []
    plain = ThreadEncoder.part

    def counted(self: Any, part: Any) -> Any:
        seen.append(part.mode)
        return plain(self, part)

    monkeypatch.setattr(ThreadEncoder, "part", counted)

    async def main() -> int:
        service, run = await over(speaking(script=[["word 100% "] * 500]))
        journal = await recorded(service, run)
        text = (await sent(journal)).decode()
        await service.close()
        return text.count('"text-delta","text":"word 100% "')

    assert asyncio.run(main()) == 500
    assert seen.count("messages") == 2  # the first one opens a block, the last one closes it


@pytest.fixture(scope="module")
def closed() -> Journal:
    """The journal of a run that has ended, on a server that has ended."""

    async def main() -> Journal:
        service, run = await over(full_of_events())
        journal = await recorded(service, run)
        await service.close()
        return journal

    return asyncio.run(main())


@settings(deadline=None)
@given(since=st.integers(0, 43), channels=st.sets(st.sampled_from(CHANNELS), min_size=1))
def test_a_client_gets_what_it_wants_of_what_comes_after(closed: Journal, since: int, channels: Any) -> None:
    everything = read(asyncio.run(sent(closed)))
    assert len(everything) == closed.last == 43
    assert read(asyncio.run(sent(closed, Wanted(channels), since))) == [
        event for event in everything if event["seq"] > since and event["method"].partition(".")[0] in channels
    ]


LEVELS = st.sampled_from(["a", "b", "a:1", "a:2", "b:1"])
PATHS = st.lists(LEVELS, max_size=3)


@given(PATHS, st.none() | st.lists(PATHS, max_size=3), st.none() | st.integers(0, 3))
def test_namespaces_match_as_the_clients_match_them(ns: List[str], prefixes: Any, depth: Any) -> None:
    client = pytest.importorskip("langgraph_sdk.stream.subscription")
    event = {"method": "values", "params": {"namespace": ns, "data": {}}}
    asked: Dict[str, Any] = {"channels": ["values"]}
    if prefixes is not None:
        asked["namespaces"] = prefixes
    if depth is not None:
        asked["depth"] = depth
    wanted = Wanted(["values"], None if prefixes is None else [tuple(prefix) for prefix in prefixes], depth)
    assert wanted("values", tuple(ns), None, ()) == client.matches_subscription(event, asked)


def test_what_cannot_be_shown_is_said(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Any, part: Any) -> Any:
        raise KeyError("broken")

    server = serving({"agent": speaking()})
    with monkeypatch.context() as patched:
        patched.setattr(ThreadEncoder, "part", broken)
        start(server)
        found = events(server)
    assert [event.get("type") for event in found] == ["event", "error", "event"]
    assert "its log says why" in found[1]["message"] and ending(found[-1]) == "completed"
    assert "cannot be made" in caplog.text
    caplog.clear()
    start(server)
    assert list(texts(events(server, since=found[-1]["seq"])).values()) == [TEXT]


def test_the_stream_of_a_thread_ends_when_it_is_deleted(serving: Serving) -> None:
    server = serving({"agent": speaking()}, heartbeat=0.02)
    start(server)
    events(server)
    stream = lines(server, "t", "", {"channels": ["lifecycle"]})
    assert next(stream) == ": connected"
    server._client.delete("/threads/t")
    assert [line for line in stream if line[:6] == "event:"] == ["event: lifecycle"] * 2


def test_a_run_that_is_cancelled_while_it_waits_does_not_stop_others(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})
    runs = [start(server) for _ in range(3)]
    assert server.post(f"/threads/t/runs/{runs[1]}/cancel?wait=1").status_code == 204
    late = lines(server, "t", "", {"channels": ALL})
    assert next(late) == ": connected"
    gate.open_all()
    ended: List[Any] = []
    while len(ended) < len(runs):
        line = next(late)
        if line[:6] == "data: " and ending(json.loads(line[6:])):
            ended.append(json.loads(line[6:]))
    assert [ending(event) for event in ended] == ["completed", "interrupted", "completed"]
    assert [event["event_id"].split(":")[1] for event in ended] == runs
    late.close()  # type: ignore[attr-defined]


def test_runs_that_have_ended_are_forgotten_in_time(serving: Serving) -> None:
    server = serving({"agent": speaking()}, keep=0.05)
    stream = lines(server, "t", "", {"channels": ["lifecycle"]})
    assert next(stream) == ": connected"
    journal = server.app.state.service.threads.get("t").watchers[0].__self__
    start(server)
    eventually(lambda: journal.last > 10 and journal.first == journal.last + 1)
    last = journal.last
    assert server.post("/threads/t/stream/events", {"channels": ALL, "since": last - 1}).status_code == 409
    start(server)
    seen = [json.loads(line[6:]) for line in itertools.islice((line for line in stream if line[:6] == "data: "), 4)]
    assert [event["params"]["data"]["event"] for event in seen] == ["running", "completed"] * 2
    assert seen[2]["seq"] == last + 1
    stream.close()  # type: ignore[attr-defined]
