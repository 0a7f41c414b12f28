"""Readers that go on in another process, and runs that seem to be lost but are not."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Any, List

import pytest
from typing_extensions import TypedDict

from integrations.redis_events.conftest import Make
from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from streamgraph_integrations.redis_events import RedisEvents, RunLostError
from support.redis_servers import Server
from support.waiting import PATIENCE, eventually

# redis-py leaves the transport of a broken connection to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class State(TypedDict, total=False):
    n: int


class Steps:
    """A run that writes a number each time it is told to."""

    def __init__(self) -> None:
        self._told: SimpleQueue[bool] = SimpleQueue()
        self.graph: Any = StateGraph(State).add_node("node", self._node).add_edge(START, "node").compile()

    def _node(self, state: State) -> State:
        number = 0
        while self._told.get():
            get_stream_writer()(number)
            number += 1
        return {"n": number}

    def go(self, count: int) -> None:
        """Let it write so many numbers."""
        for _ in range(count):
            self._told.put(True)

    def end(self) -> None:
        """Let it end."""
        self._told.put(False)


def deaf(events: RedisEvents) -> None:
    """Let a process hear nothing any more of what is new."""
    events._hub._follower.of = lambda run_id: []  # type: ignore[method-assign]


def test_a_reader_comes_from_a_process_that_was_ahead(make: Make) -> None:
    """It goes on behind an event of which the process that it comes to has not heard yet."""
    steps, here, there = Steps(), make(), make()
    started = steps.graph.start({}, log=here.open(), record="custom")
    ahead, behind = (steps.graph.attach(events.log(started.id)) for events in (here, there))
    deaf(there)
    steps.go(10)
    reader = ahead.stream("custom")
    assert [next(reader) for _ in range(10)] == list(range(10))
    assert behind.last_id == "1-0"
    again = steps.graph.attach(there.log(started.id)).stream("custom", after=reader.id)
    steps.go(1)
    steps.end()
    eventually(lambda: started.status == "done")
    here.flush()
    assert list(steps.graph.attach(there.log(started.id)).stream("custom", after="1-10")) == [10]
    assert list(again) == [10]


def test_a_run_that_was_silent_for_a_while(make: Make, server: Server) -> None:
    """Readers here have been told that it is lost; who comes later reads it, and there it is not."""
    steps, here, there = Steps(), make(alive=300), make(alive=0.2)
    started = steps.graph.start({}, log=here.open(), record="custom")
    steps.go(1)
    lost = steps.graph.attach(there.log(started.id))
    reader = lost.stream("custom")
    assert next(reader) == 0
    with server.client() as client:
        client.delete(here._settings.names.alive(started.id))
    with pytest.raises(RunLostError):
        next(reader)
    steps.go(1)
    again = steps.graph.attach(there.log(started.id)).stream("custom", after=reader.id)
    assert next(again) == 1
    steps.end()
    assert list(again) == []
    assert lost.status == "failed"


@pytest.mark.slow
def test_a_server_that_is_away_for_longer_than_a_sign_of_life_lasts(make: Make, tmp_path: Path) -> None:
    """No sign of life is there when it comes back, and the run is not lost for that."""
    with Server(tmp_path, appends=True) as own:
        steps, here = Steps(), make(own.url, alive=1.0)
        started = steps.graph.start({}, log=here.open(), record="custom")
        steps.go(1)
        readers: List[Any] = []
        for _ in range(3):
            readers.append(steps.graph.attach(make(own.url, alive=1.0).log(started.id)).stream("custom"))
            assert next(readers[-1]) == 0
        own.kill()
        time.sleep(1.2)
        own.begin()
        steps.go(1)
        assert [next(reader) for reader in readers] == [1, 1, 1]
        steps.end()
        assert [list(reader) for reader in readers] == [[], [], []]
        assert started.result(PATIENCE) == {"n": 2}


@pytest.mark.slow
def test_many_runs_are_joined_while_connections_break(make: Make, server: Server) -> None:
    """Whoever listens goes on listening, also to what is added while there is no connection."""
    here, there = make(), make()
    over = threading.Event()

    def disturb() -> None:
        with server.client() as client:
            mine = client.client_id()
            while not over.wait(0.003):
                for each in client.client_list():
                    if int(each["id"]) != mine:
                        client.client_kill_filter(_id=each["id"])

    disturber = threading.Thread(target=disturb)
    disturber.start()
    readers = []
    try:
        for _ in range(8):
            steps = Steps()
            started = steps.graph.start({}, log=here.open(), record="custom")
            steps.go(2)
            readers.append((steps, steps.graph.attach(there.log(started.id)).stream("custom")))
    finally:
        over.set()
        disturber.join()
    began = time.monotonic()
    for steps, reader in readers:
        assert [next(reader), next(reader)] == [0, 1]
        steps.go(1)
        assert next(reader) == 2
        steps.end()
        assert list(reader) == []
    assert time.monotonic() - began < PATIENCE  # and not at the next look, some seconds later


def test_what_nobody_reads_is_listened_to_no_more(make: Make) -> None:
    """A process does not collect the channels of runs that it has read once."""
    steps, here, there = Steps(), make(), make(alive=0.3)
    started = steps.graph.start({}, log=here.open(), record="custom")
    steps.end()
    assert steps.graph.attach(there.log(started.id)).result(PATIENCE) == {"n": 0}
    eventually(lambda: gc.collect() >= 0 and there._hub._news._wanted == {})
    assert list(steps.graph.attach(there.log(started.id)).stream("custom")) == []


def test_all_runs_that_are_read_are_looked_after_at_the_same_time(make: Make) -> None:
    """The last one of many does not wait until all others were asked for."""
    steps, here, there = Steps(), make(), make()
    runs = [steps.graph.start({}, log=here.open(), record="custom") for _ in range(2)]
    logs = [there.log(run.id) for run in runs]
    looking: List[Any] = []
    both: List[asyncio.Event] = []  # made on the loop, as Python 3.9 asks for

    async def check(redis: Any, log: Any) -> None:
        looking.append(log)
        both.append(both[0] if both else asyncio.Event())
        if len(looking) == 2:
            both[0].set()
        await asyncio.wait_for(both[0].wait(), PATIENCE)

    there._hub._follower.check = check  # type: ignore[method-assign]
    there._hub.call(there._hub._look)
    assert set(looking) == set(logs)
    steps.end()
    steps.end()
