"""What several processes know of each other's runs: notes, leases, groups."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable
from uuid import uuid4

import pytest
from typing_extensions import TypedDict

from streamgraph.graph import START, StateGraph
from streamgraph.runs import EventsUnavailableError, RunLostError
from streamgraph_integrations.redis_events import RedisEvents
from support.redis_servers import Server
from support.waiting import run

# redis-py leaves the transport of a broken connection to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

Make = Callable[..., RedisEvents]


class State(TypedDict, total=False):
    n: int


GRAPH: Any = StateGraph(State).add_node("node", lambda state: {"n": 1}).add_edge(START, "node").compile()


def dies(events: RedisEvents) -> None:
    """Let a process give no sign of life any more, without a word."""
    events._hub._loop.call_soon_threadsafe(events._hub._sender.logs.clear)


def test_what_is_known_of_a_run_from_its_acceptance_to_its_end(make: Make) -> None:
    here, there = make(), make()

    async def main() -> None:
        run_id = str(uuid4())
        assert await there.afind([run_id]) == [None]
        log = await here.aaccept(run_id, "notes")
        (record,) = await there.afind([run_id])
        assert record is not None
        assert record[:6] == (run_id, "notes", 1, "pending", None, None)
        waiting = asyncio.ensure_future(there.anext(run_id, 0))
        driven = await GRAPH.astart({}, {"run_id": run_id}, log=log)
        await driven.ajoin()
        shared = await waiting
        assert shared is not None
        attached = GRAPH.attach(shared)
        (record,) = await there.afind([run_id])
        assert record is not None
        assert record.status == "running"  # its end is held back
        await here.afinish(log)
        assert await attached == {"n": 1}
        (record,) = await there.afind([run_id])
        assert record is not None
        assert (record.status, record.end is not None) == ("done", True)
        assert record.begun is not None
        assert record.over is not None
        assert record.begun <= record.over
        await there.adelete(run_id)
        assert await here.afind([run_id]) == [None]
        assert await here.anext(run_id, 0) is None

    run(main())


@pytest.mark.parametrize("begins", [True, False])
def test_the_end_of_a_run_is_what_its_process_says(make: Make, begins: bool) -> None:
    here, there = make(), make()

    async def main() -> None:
        run_id = str(uuid4())
        log = await here.aaccept(run_id, "notes")
        if begins:
            await (await GRAPH.astart({}, {"run_id": run_id}, log=log)).ajoin()
        await here.afinish(log, "failed", ValueError("no"))
        shared = await there.anext(run_id, 0)
        assert shared is not None
        attached = GRAPH.attach(shared)
        with pytest.raises(ValueError, match="no"):
            await attached
        assert attached.status == "failed"

    run(main())


@pytest.mark.parametrize("begins", [True, False])
def test_a_run_whose_process_dies_has_failed_for_all(make: Make, begins: bool) -> None:
    """Who looks first writes it down; what its process still streams comes after nothing."""
    here, there, other = (make(alive=0.3) for _ in range(3))

    async def main() -> None:
        run_id, gate = str(uuid4()), threading.Event()
        log = await here.aaccept(run_id, "notes")
        graph: Any = StateGraph(State).add_node("node", lambda state: gate.wait(30) and None)
        driven = None
        if begins:
            driven = await graph.add_edge(START, "node").compile().astart({}, {"run_id": run_id}, log=log)
            assert await there.anext(run_id, 0) is not None
        dies(here)
        shared = await there.anext(run_id, 2**62)
        assert shared is not None
        attached = GRAPH.attach(shared)
        with pytest.raises(RunLostError, match="without a word"):
            await attached
        (record,) = await other.afind([run_id])
        assert record is not None
        assert record.end is not None
        assert isinstance(record.end.error, RunLostError)
        if driven is not None:  # it comes back, and is told that it is too late
            here._hub._sender.logs[run_id] = log
            gate.set()
            await driven.ajoin()
            await here.afinish(log)
            (record,) = await other.afind([run_id])
            assert record is not None
            assert record.status == "failed"

    run(main())


def test_a_run_that_was_noted_for_a_dispatcher_has_no_lease(make: Make) -> None:
    """It is pending until a worker opens its log, whose cancel may have come before."""
    here, worker = make(alive=0.2), make(alive=0.2)

    async def main() -> None:
        run_id = str(uuid4())
        await here.anote(run_id, "notes")
        waiting = asyncio.ensure_future(here.anext(run_id, 0))
        await asyncio.sleep(0.5)
        (record,) = await here.afind([run_id])
        assert record is not None
        assert (record.status, record.attempt) == ("pending", 0)
        await here.asignal(run_id, "cancel")
        never = asyncio.Event()

        async def node(state: State) -> None:
            await never.wait()

        graph: Any = StateGraph(State).add_node("node", node).add_edge(START, "node").compile()
        driven = await graph.astart({}, {"run_id": run_id}, log=await worker.aopen(run_id))
        await driven.ajoin()
        assert driven.status == "cancelled"
        shared = await waiting
        assert shared is not None
        await here.aover([run_id])

    run(main())


def test_groups_of_runs(make: Make) -> None:
    here, there = make(), make()

    async def main() -> None:
        first, second, third = ("a", "b", "c")
        heard = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop = await there.awatch("thread:t", lambda: loop.call_soon_threadsafe(heard.set))
        assert await here.aenter("thread:t", first) == []
        await asyncio.wait_for(heard.wait(), 10)
        assert await there.aenter("thread:t", second) == [first]
        await here.aleave("thread:t", first)
        assert await here.aenter("thread:t", third) == [second]
        assert await there.amembers("thread:t") == [first, second, third]
        assert await there.amembers("thread:t", active=True) == [second, third]
        await there.aleave("thread:t", third, forget=True)
        assert await here.amembers("thread:t") == [first, second]
        assert await here.amembers("thread:u") == []
        assert [await each.acount("thread:t", first, number) for number, each in ((3, here), (5, there))] == [3, 3]
        assert await there.acounts("thread:t") == {first: 3}
        stop()

    run(main())


def test_requests_are_answered_before_a_run_begins(make: Make) -> None:
    here, there = make(), make()

    async def main() -> None:
        run_id = str(uuid4())
        log = await here.aaccept(run_id, "notes")
        log.on_signal(lambda kind, *details: [kind, *details])
        assert await there.arequest(run_id, "what", 1, "x") == ["what", 1, "x"]
        await here.afinish(log)

    run(main())


def test_without_redis(make: Make, folder: Any) -> None:
    with Server(folder) as own:
        events = make(own.url, patience=0.2)

        async def main() -> None:
            assert await events.amembers("thread:t") == []
            own.kill()
            for asked in (events.amembers("t"), events.afind(["r"]), events.aenter("t", "r"), events.aaccept("r", "n")):
                with pytest.raises(EventsUnavailableError, match="Redis could not"):
                    await asked

        run(main())
