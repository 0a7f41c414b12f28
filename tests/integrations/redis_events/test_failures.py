"""What fails: nodes, connections, servers. Nothing is lost, stored twice or out of order, and every error says so."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Iterator

import pytest
from typing_extensions import TypedDict

from integrations.redis_events.conftest import Make
from streamgraph.config import get_stream_writer
from streamgraph.errors import RunCancelledError
from streamgraph.graph import START, StateGraph
from streamgraph.serialization import RemoteError
from streamgraph_integrations.redis_events import EventsUnavailableError, RedisEvents, _connection
from support.redis_servers import Server
from support.waiting import PATIENCE

# redis-py leaves the transport of a broken connection to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class State(TypedDict, total=False):
    n: int


class OddError(Exception):
    """An error of the user."""


def graph_of(node: Any) -> Any:
    """A graph of one node."""
    return StateGraph(State).add_node("node", node).add_edge(START, "node").compile()


def writing(count: int, pause: float = 0) -> Any:
    """A graph whose node writes numbers."""

    def node(state: State) -> State:
        for number in range(count):
            get_stream_writer()(number)
            if pause:
                time.sleep(pause)
        return {"n": count}

    return graph_of(node)


@pytest.fixture
def own(folder: Path) -> Iterator[Server]:
    """A server of the test's own, which writes to the disk."""
    found = Server(folder, appends=True)
    yield found
    found.close()


@pytest.mark.parametrize("error", [ValueError("bad"), OddError("odd")], ids=repr)
def test_the_error_of_a_run(make: Make, error: Exception) -> None:
    def node(state: State) -> State:
        get_stream_writer()(1)
        raise error

    graph = graph_of(node)
    started = graph.start({}, log=make().open(), record="custom")
    for events in (make(), make(allow=[OddError])):
        attached = graph.attach(events.log(started.id))
        reader = attached.stream("custom")
        assert next(reader) == 1
        with pytest.raises((type(error), RemoteError), match="bad|odd"):
            next(reader)
        assert attached.status == "failed"
        with pytest.raises((type(error), RemoteError), match="bad|odd"):
            attached.result()
    assert isinstance(_raised(attached), type(error))


def _raised(run: Any) -> BaseException:
    try:
        run.result()
    except BaseException as error:
        return error
    raise AssertionError


def test_a_cancelled_run_has_no_result(make: Make) -> None:
    goes_on = threading.Event()

    def node(state: State) -> None:
        while not goes_on.wait(0.01):
            get_stream_writer()(0)

    graph = graph_of(node)
    started = graph.start({}, log=make().open())
    attached = graph.attach(make().log(started.id))
    started.cancel()
    assert attached.join(PATIENCE)
    with pytest.raises(RunCancelledError):
        attached.result()


def test_connections_that_break_all_the_time(make: Make, server: Server) -> None:
    """Each event is there once, in order, although it is never known whether a command has arrived."""
    graph = writing(3000, pause=0.0002)
    here, there = make(), make()
    started = graph.start({}, log=here.open(), record="custom")
    attached = graph.attach(there.log(started.id))
    over = threading.Event()

    def disturb() -> None:
        with server.client() as client:
            mine = client.client_id()
            while not over.wait(0.01):
                for each in client.client_list():
                    if int(each["id"]) != mine:
                        client.client_kill_filter(_id=each["id"])

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        found = list(attached.stream("custom"))
    finally:
        over.set()
        disturber.join()
    assert found == list(range(3000))
    assert list(graph.attach(make().log(started.id)).stream("custom")) == found


def test_a_server_that_is_killed_and_started_again(make: Make, own: Server) -> None:
    """With `appendfsync always` nothing is lost, and nothing comes twice."""
    graph = writing(2000, pause=0.0005)
    here, there = make(own.url), make(own.url)
    started = graph.start({}, log=here.open(), record="custom")
    attached = graph.attach(there.log(started.id))
    reader = attached.stream("custom")
    found = [next(reader) for _ in range(100)]
    for _ in range(2):
        own.kill()
        time.sleep(0.1)
        own.begin()
        found += [next(reader) for _ in range(200)]
    found += list(reader)
    assert found == list(range(2000))
    assert started.result(PATIENCE) == attached.result(PATIENCE) == {"n": 2000}


def test_a_run_waits_for_a_server_that_does_not_answer(make: Make, own: Server) -> None:
    """At most so many events wait in memory; the node goes on when they are stored."""
    written = []

    def node(state: State) -> State:
        for number in range(100):
            get_stream_writer()(number)
            written.append(number)
        return {"n": 1}

    graph = graph_of(node)
    here = make(own.url, max_unstored=10)
    log = here.open()
    own.kill()
    started = graph.start({}, log=log, record="custom")
    time.sleep(0.3)
    assert len(written) <= 11
    assert started.status == "running"
    own.begin()
    assert started.result(PATIENCE) == {"n": 1}
    assert list(graph.attach(make(own.url).log(started.id)).stream("custom")) == list(range(100))


def test_a_server_that_stays_away(make: Make, own: Server) -> None:
    """The run fails, and so do those who read it."""
    graph = writing(100_000, pause=0.001)
    here, there = make(own.url, patience=0.3, max_unstored=50), make(own.url, patience=0.3, alive=0.6)
    started = graph.start({}, log=here.open(), record="custom")
    attached = graph.attach(there.log(started.id))
    own.kill()
    with pytest.raises(EventsUnavailableError, match=r"could not store events for 0\.3 seconds"):
        started.result(PATIENCE)
    with pytest.raises(EventsUnavailableError, match="Redis could not"):
        attached.result(PATIENCE)
    with pytest.raises(EventsUnavailableError, match="open a run"):
        here.open()
    own.begin()


def test_a_server_that_has_forgotten(make: Make, own: Server) -> None:
    """What was stored is gone: the run ends instead of leaving a stream with a hole."""
    graph = writing(100_000, pause=0.001)
    here = make(own.url)
    started = graph.start({}, log=here.open(), record="custom")
    attached = graph.attach(make(own.url).log(started.id))
    next(attached.stream("custom"))
    with own.client() as client:
        client.flushall()
    with pytest.raises(EventsUnavailableError, match="has lost events"):
        started.result(PATIENCE)


def test_a_server_without_memory(make: Make, folder: Path) -> None:
    full = Server(folder, "--maxmemory", "2mb", "--maxmemory-policy", "noeviction")
    try:
        here = make(full.url, patience=0.3, max_unstored=50)

        def node(state: State) -> State:
            for _ in range(10_000):
                get_stream_writer()("x" * 10_000)
            return {"n": 1}

        started = graph_of(node).start({}, log=here.open(), record="custom")
        with pytest.raises(EventsUnavailableError, match="used memory"):
            started.result(PATIENCE)
    finally:
        full.close()


def test_events_that_could_not_be_stored_after_the_end(
    make: Make, own: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run has its result; that its events are not complete is logged, and readers elsewhere get an error."""
    seconds = [0.0]
    monkeypatch.setattr(_connection, "monotonic", lambda: seconds[0])
    here = make(own.url, patience=0.3)
    log = here.open()
    own.kill()
    assert writing(10).start({}, log=log, record="custom").result(PATIENCE) == {"n": 10}
    seconds[0] = 1.0  # the patience of what sends is over only now
    here.flush()
    assert "has ended, but its last events could not be stored" in caplog.text
    own.begin()


def test_closed_events(make: Make) -> None:
    events = make()
    graph = writing(100_000, pause=0.001)
    started = graph.start({}, log=events.open(), record="custom")
    attached = graph.attach(make().log(started.id))
    there = make()
    read_there = graph.attach(there.log(started.id))
    there.close()
    with pytest.raises(EventsUnavailableError, match="closed"):
        read_there.result(PATIENCE)
    events.close()
    events.close()
    with pytest.raises(EventsUnavailableError, match="closed"):
        started.result(PATIENCE)
    with pytest.raises(EventsUnavailableError, match="closed"):
        events.open()
    attached.cancel()


def test_events_are_closed_whatever_a_connection_does(make: Make) -> None:
    """Also if what waits for it does not notice that it is cancelled."""
    events = make()
    events.open()
    waits = threading.Event()

    async def deaf() -> None:
        waits.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(PATIENCE)
        await asyncio.sleep(PATIENCE)

    hub = events._hub
    hub._loop.call_soon_threadsafe(lambda: hub._begin(deaf()))
    assert waits.wait(PATIENCE)
    closing = threading.Thread(target=events.close)
    closing.start()
    closing.join(PATIENCE / 2)
    assert not closing.is_alive()


def test_no_server() -> None:
    with RedisEvents("redis://127.0.0.1:1", patience=0.1) as nowhere:
        with pytest.raises(EventsUnavailableError, match="open"):
            nowhere.open()
    with pytest.raises(ValueError, match="URL"):
        RedisEvents("http://127.0.0.1")
    with pytest.raises(ValueError, match="greater than 0"):
        RedisEvents(ttl=0)


def test_without_the_package_for_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    for name in [name for name in sys.modules if name.startswith("streamgraph_integrations.redis_events")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis.asyncio.connection", None)
    with pytest.raises(ImportError, match=r"pip install \"streamgraph\[redis\]\""):
        importlib.import_module("streamgraph_integrations.redis_events")
