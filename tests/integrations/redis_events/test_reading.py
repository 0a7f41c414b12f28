"""Runs are read elsewhere as where they were started: every mode, at any time, in threads and on loops."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import Any, Dict, List

import pytest
from langchain_core.messages import AIMessage
from pydantic import BaseModel
from typing_extensions import TypedDict

from integrations.redis_events.conftest import Make
from streamgraph.config import get_stream_writer
from streamgraph.errors import NotSupportedError, UnknownOptionError
from streamgraph.graph import START, StateGraph
from streamgraph.runs import MemoryLog
from streamgraph.types import Gap
from streamgraph_integrations.redis_events import RunSupersededError, UnknownRunError
from support.talking import GIVEN, plain, talking
from support.waiting import PATIENCE, run

MODES = ["values", "updates", "custom", "messages", "tools", "tasks", "debug"]
WAYS: Dict[str, Dict[str, Any]] = {
    "several": {"stream_mode": MODES},
    "with namespaces": {"stream_mode": MODES, "subgraphs": True},
    "parts": {"stream_mode": MODES, "subgraphs": True, "version": "v2"},
    "tokens": {"stream_mode": "messages"},
    "of a tag": {"stream_mode": ["messages", "custom"], "include_tags": "loud"},
    "not of a node": {"stream_mode": ["messages", "updates"], "exclude_nodes": "sp*"},
}

_TIMES = re.compile(r"'timestamp': '[^']*'")


class Count(TypedDict, total=False):
    n: int


class Found(BaseModel):
    name: str


def writing(*values: Any) -> Any:
    """A graph whose node writes values."""

    def node(state: Count) -> Count:
        for value in values:
            get_stream_writer()(value)
        return {"n": 1}

    return StateGraph(Count).add_node("node", node).add_edge(START, "node").compile()


@pytest.mark.parametrize("starter", ["start", "astart"])
@pytest.mark.parametrize("way", WAYS)
def test_the_same_as_in_the_process_of_the_run(make: Make, starter: str, way: str) -> None:
    graph, options = talking(asynchronous=starter == "astart"), WAYS[way]
    here, there = make(), make()

    async def main() -> List[List[str]]:
        log = await here.aopen()
        keywords: Any = {"log": log, "record": MODES}
        started = graph.start(GIVEN, **keywords) if starter == "start" else await graph.astart(GIVEN, **keywords)
        attached = graph.attach(await there.alog(started.id))
        early = [plain(chunk) async for chunk in attached.astream(**options)]
        own = [plain(chunk) async for chunk in started.astream(**options)]
        late = graph.attach(await make().alog(started.id))
        loop = asyncio.get_running_loop()
        read = await loop.run_in_executor(None, lambda: [plain(chunk) for chunk in late.stream(**options)])
        assert attached.status == late.status == "done"
        assert plain(await attached) == plain(late.result()) == plain(await started)
        assert attached.id == started.id
        assert attached.last_id == started.last_id
        assert late.partial.messages == started.partial.messages
        return [early, read, own]

    early, read, own = run(main())
    assert early == read == own
    expected = [plain(chunk) for chunk in graph.stream(GIVEN, **options)]
    assert [_TIMES.sub("", chunk) for chunk in own] == [_TIMES.sub("", chunk) for chunk in expected]


def test_from_any_event_on(make: Make) -> None:
    """A reader goes on after the id of any event, and gets the rest, in any order of asking."""
    graph = writing(*range(300))
    started = graph.start({}, log=make().open(), record="custom")
    started.join(PATIENCE)
    attached = graph.attach(make().log(started.id))
    for after in (250, 0, 64, 63, 65, 299, 300, 128):
        assert list(attached.stream("custom", after=f"1-{after}")) == list(range(after, 300))
    reader = attached.stream("custom")
    assert [next(reader) for _ in range(100)] == list(range(100))
    assert list(attached.stream("custom", after=reader.id)) == list(range(100, 300))


def test_as_it_comes(make: Make) -> None:
    """What a node writes is read elsewhere while the node waits for that."""
    graph_reads = threading.Event()

    def node(state: Count) -> Count:
        get_stream_writer()("first")
        assert graph_reads.wait(PATIENCE)
        get_stream_writer()("second")
        return {"n": 1}

    graph = StateGraph(Count).add_node("node", node).add_edge(START, "node").compile()
    started = graph.start({}, log=make().open(), record="custom")
    attached = graph.attach(make().log(started.id))
    with attached.stream("custom") as reader:
        assert next(reader) == "first"
        assert attached.status == "running"
        assert not attached.join(0.01)
        graph_reads.set()
        assert list(reader) == ["second"]
    assert attached.result(PATIENCE) == {"n": 1}


def test_no_event_is_kept_twice_in_memory(make: Make) -> None:
    """All readers of a process share one log."""
    graph = writing("one")
    started = graph.start({}, log=make().open())
    there = make()
    assert there.log(started.id) is there.log(started.id)


def test_pages_that_were_dropped_are_fetched_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamgraph_integrations.redis_events._thread._PAGES", 2)
    graph = writing(*range(1000))
    started = graph.start({}, log=make().open(), record="custom")
    attached = graph.attach(make().log(started.id))
    readers = [attached.stream("custom") for _ in range(3)]
    for reader in readers:
        assert [next(reader) for _ in range(500)] == list(range(500))
    for reader in readers:
        assert list(reader) == list(range(500, 1000))


def test_what_redis_does_not_keep_is_a_gap(make: Make) -> None:
    """The limit is about: Redis drops whole nodes of its tree."""
    graph = writing(*range(3000))
    here = make(max_events=100)
    started = graph.start({}, log=here.open(), record="custom")
    started.join(PATIENCE)
    assert here.flush()
    attached = graph.attach(make().log(started.id))
    gap, *rest = attached.stream("custom")
    assert isinstance(gap, Gap)
    assert rest == list(range(gap.dropped, 3000))
    assert 100 <= len(rest) < 1000
    assert (gap.first, gap.last) == ("1-1", f"1-{gap.dropped}")


def test_classes_of_the_state_are_allowed_by_name(make: Make) -> None:
    graph = writing(Found(name="ice"))
    started = graph.start({}, log=make().open(), record="custom")
    assert list(graph.attach(make(allow=[Found]).log(started.id)).stream("custom")) == [Found(name="ice")]
    refused = graph.attach(make().log(started.id))
    with pytest.raises(Exception, match="Found"):
        list(refused.stream("custom"))
    assert refused.status == "failed"


def test_the_state_that_each_reader_gets_is_its_own(make: Make) -> None:
    graph = talking()
    started = graph.start(GIVEN, log=make().open())
    attached = graph.attach(make().log(started.id))
    for _ in range(2):
        *_, last = attached.stream("values", subgraphs=False)
        assert len(last["messages"]) == 4
        last["messages"].clear()


def test_an_unknown_run(make: Make) -> None:
    events = make(reply=0.1)
    with pytest.raises(UnknownRunError, match="no events"):
        events.log("1b4e28ba-2fa1-11d2-883f-0016d3cca427")
    with pytest.raises(ValueError, match="badly formed"):
        events.log("run")
    opened = events.open()
    with pytest.raises(UnknownRunError, match="has not begun"):
        events.log(opened.run_id or "")


def test_what_an_attached_run_refuses(make: Make) -> None:
    graph = writing("one")
    started = graph.start({}, log=make().open(), record="custom")
    attached = graph.attach(make().log(started.id))
    with pytest.raises(NotSupportedError, match="cannot hold back"):
        attached.stream("custom", max_buffer=1, overflow="block")
    with pytest.raises(UnknownOptionError, match="does not record 'values'"):
        attached.stream("values")
    assert list(attached.stream("custom", max_buffer=1, overflow="coalesce")) == ["one"]


def test_the_id_is_that_of_the_log(make: Make) -> None:
    events = make()
    log = events.open("1b4e28ba-2fa1-11d2-883f-0016d3cca427")
    graph = writing("one")
    with pytest.raises(UnknownOptionError, match="The log is that of the run 1b4e28ba"):
        graph.start({}, {"run_id": "2b4e28ba-2fa1-11d2-883f-0016d3cca427"}, log=log)
    assert graph.start({}, log=log).id == "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
    assert MemoryLog().run_id is None


def test_a_later_attempt_ends_an_earlier_one(make: Make) -> None:
    """The earlier one gets an error, and what it makes from then on is not in the events."""
    here, there = make(), make()
    writes = threading.Event()
    ended = threading.Event()

    def node(state: Count) -> Count:
        writer = get_stream_writer()
        writer("before")
        assert writes.wait(PATIENCE)
        try:
            while not ended.wait(0.005):
                writer("after")
        finally:
            ended.set()
        return {"n": 1}

    graph = StateGraph(Count).add_node("node", node).add_edge(START, "node").compile()
    first = graph.start({}, log=here.open(), record="custom")
    reader = graph.attach(make().log(first.id)).stream("custom")
    assert next(reader) == "before"
    second = writing("anew").start({}, log=there.open(first.id), record="custom")
    assert second.last_id.startswith("2-")
    writes.set()
    with pytest.raises(RunSupersededError, match="attempt 2 has begun"):
        first.result(PATIENCE)
    assert ended.wait(PATIENCE)
    assert list(graph.attach(make().log(first.id)).stream("custom")) == ["anew"]
    with pytest.raises(Exception, match="taken over by attempt 2"):
        list(reader)


def test_thousands_of_readers_over_few_connections(make: Make, server: Any) -> None:
    graph = writing(*range(20))
    here, there = make(), make()
    log = there

    async def main() -> None:
        started = [await graph.astart({}, log=await here.aopen(), record="custom") for _ in range(50)]
        attached = [graph.attach(await log.alog(each.id)) for each in started]

        async def read(each: Any) -> List[int]:
            return [chunk async for chunk in each.astream("custom")]

        found = await asyncio.gather(*[read(each) for each in attached for _ in range(20)])
        assert found == [list(range(20))] * 1000

    with server.client() as client:
        before = len(client.client_list())
        run(main())
        assert len(client.client_list()) - before <= 24


def test_messages_of_nodes_and_the_state_are_of_their_classes(make: Make) -> None:
    graph = talking()
    started = graph.start(GIVEN, log=make().open())
    attached = graph.attach(make().log(started.id))
    assert isinstance(attached.result(PATIENCE)["messages"][-1], AIMessage)
