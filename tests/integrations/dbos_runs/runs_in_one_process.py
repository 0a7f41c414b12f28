"""Runs in queues, driven by a worker in the same process: what is asked for happens once, in order, and is told."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, List
from uuid import uuid4

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from integrations.dbos_runs.conftest import Place
from streamgraph.errors import GraphError, RunCancelledError, UnknownKeywordError, UnknownOptionError
from streamgraph.runs import RunOrder
from streamgraph.types import Command
from support.waiting import PATIENCE

pytest.importorskip("dbos", reason="DBOS 3 needs Python 3.10")
from streamgraph_integrations import dbos_runs  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    # DBOS leaves connections of its pool to the collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def thread(name: str = "") -> Any:
    """A config with a thread of its own, as all tests share a database."""
    return {"configurable": {"thread_id": name or uuid4().hex}}


async def soon(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds, as long as a worker may need."""
    deadline = asyncio.get_running_loop().time() + 3 * PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


def test_one_run_for_a_key(place: Place) -> None:
    """It is started once however often it is asked for, sync and async; messages and models travel as they are."""

    async def main() -> None:
        place.let("go")
        given = {"log": [HumanMessage("hi")], "topic": place.program.Topic(name="ice")}
        async with place.runs.worker():
            key = uuid4().hex
            made = [await place.runs.aenqueue("steps", given, key=key, record=["values", "custom"]) for _ in range(3)]
            made.append(await asyncio.to_thread(place.runs.enqueue, "steps", given, key=key))
            assert len({run.id for run in made}) == 1
            result = await made[0].aresult(3 * PATIENCE)
            assert result["log"] == [HumanMessage("hi", id=result["log"][0].id), "first", "second", "third of ice"]
            assert [chunk async for chunk in made[3].astream("custom")] == ["first", {"log": ["second"]}]
            await soon(lambda: made[1].status == "done")
        again = place.runs.enqueue("steps", given, key=key)
        assert again.status == "done"
        assert again.result(PATIENCE) == result
        assert place.noted() == ["first", "second", "third"]

    asyncio.run(main())


def test_questions_end_a_run_and_are_answered_by_another(place: Place) -> None:
    """A run that asks is `interrupted`; the next one of its thread brings the answer."""

    async def main() -> None:
        config = thread()
        async with place.runs.worker():
            run = await place.runs.aenqueue("asks", {"log": []}, config)
            assert [question.value for question in (await run.aresult(3 * PATIENCE))["__interrupt__"]] == ["How?"]
            run = await place.runs.aenqueue("asks", Command(resume="so"), config)
            assert [question.value for question in (await run.aresult(PATIENCE))["__interrupt__"]] == ["Why?"]
            assert await run.astatus() in ("running", "interrupted")
            await soon(lambda: run.status == "interrupted")
            run = await place.runs.aenqueue("asks", Command(resume="thus"), config)
            assert await run.aresult(PATIENCE) == {"log": ["so", "thus"]}
            live = await place.runs.aenqueue("asks", {"log": []}, thread(), interrupts="live")
            handle = await live.aattach(PATIENCE)
            for answer in ("a", "b"):
                await soon(lambda: handle.questions)
                await handle.aanswer(handle.questions[0].id, answer)
                await soon(lambda: [question.value for question in handle.questions] != ["How?"])
            assert await live.aresult(PATIENCE) == {"log": ["a", "b"]}

    asyncio.run(main())


def test_runs_of_a_thread_wait_for_each_other(place: Place) -> None:
    """They go on one at a time in their order, while those of other threads go on."""

    async def main() -> None:
        config = thread()
        async with place.runs.worker():
            one = await place.runs.aenqueue("waits", {"log": ["one"]}, config)
            two = await place.runs.aenqueue("waits", {"log": ["two"]}, config)
            other = await place.runs.aenqueue("waits", {"log": ["other"]}, thread())
            await soon(lambda: {"begins:one", "begins:other"} <= set(place.noted()))
            await asyncio.sleep(0.2)
            assert "begins:two" not in place.noted()
            assert [run.status for run in (one, two, other)] == ["running", "queued", "running"]
            listed = await place.runs.alist(thread_id=config["configurable"]["thread_id"])
            assert [(info.id, info.status, info.graph) for info in listed] == [
                (two.id, "queued", "waits"),
                (one.id, "running", "waits"),
            ]
            for name in ("other", "one", "two"):
                place.let(name)
            assert await two.aresult(3 * PATIENCE) == {"log": ["one", "one done", "two", "two done"]}
            assert await other.aresult(PATIENCE) == {"log": ["other", "other done"]}

    asyncio.run(main())


def test_a_run_that_fails_or_is_cancelled(place: Place) -> None:
    """Its readers get the error itself; one that is cancelled in its queue never begins."""

    async def main() -> None:
        config = thread()
        async with place.runs.worker():
            failing = await place.runs.aenqueue("fails", {"log": []})
            going_on = await place.runs.aenqueue("waits", {"log": ["x"]}, config)
            waiting = await place.runs.aenqueue("waits", {"log": ["y"]}, config)
            with pytest.raises(LookupError, match="There is no ice"):
                await failing.aresult(3 * PATIENCE)
            await soon(lambda: failing.status == "failed")
            assert failing.info.error == "LookupError: There is no ice."
            await soon(lambda: "begins:x" in place.noted())
            await waiting.acancel()
            with pytest.raises(RunCancelledError):
                await waiting.aresult(PATIENCE)
            assert waiting.status == "cancelled"
            await going_on.acancel()
            with pytest.raises(RunCancelledError):
                await going_on.aresult(PATIENCE)
            await soon(lambda: going_on.status == "cancelled")
            assert [info.id for info in place.runs.list(status="cancelled", limit=2)] == [waiting.id, going_on.id]
            assert "begins:y" not in place.noted()
            await waiting.acancel()  # what is over stays as it is

    asyncio.run(main())


def test_limits_priorities_and_times(place: Place) -> None:
    """A queue of one begins with the lowest number; a rate is kept; a delayed run begins later."""

    async def main() -> None:
        for name in "abc":
            place.let(name)
        runs = place.runs
        made = [
            await runs.aenqueue("waits", {"log": [name]}, queue="single", priority=priority)
            for name, priority in (("a", 3), ("b", 1), ("c", 2))
        ]
        delayed = runs.enqueue("waits", {"log": ["a"]}, at=datetime.now(timezone.utc) + timedelta(hours=1))
        slow = [runs.enqueue("waits", {"log": ["b"]}, queue="slowly") for _ in range(3)]
        began = asyncio.get_running_loop().time()
        async with runs.worker(["single", "slowly"]):
            await asyncio.gather(*[run.aresult(3 * PATIENCE) for run in made])
            ends = [what[-1] for what in place.noted() if what.startswith("ends")]
            assert [name for name in ends if name != "b" or ends.index("b") == 0][:1] == ["b"]
            assert ends.index("c") < ends.index("a")
            await asyncio.gather(*[run.aresult(3 * PATIENCE) for run in slow])
            assert asyncio.get_running_loop().time() - began > 1
            assert delayed.status == "delayed"
        delayed.cancel()
        assert delayed.status == "cancelled"

    asyncio.run(main())


def test_schedules(place: Place) -> None:
    """Each time has one run; a schedule that is replaced or ended starts no more."""

    async def main() -> None:
        place.let("tick")
        name = uuid4().hex
        place.runs.schedule(name, "* * * * * *", "waits", {"log": ["tick"]}, thread("scheduled"))
        assert place.runs.schedules()[name] == "* * * * * *"
        async with place.runs.worker():
            await soon(lambda: place.noted().count("ends:tick") >= 2)
            place.runs.unschedule(name)
            assert name not in place.runs.schedules()
        listed = place.runs.list(thread_id="scheduled")
        assert len({info.id for info in listed}) == len(listed) >= 2
        with pytest.raises(UnknownOptionError, match="There is no such schedule"):
            place.runs.schedule(name, "every day", "waits", {"log": []})
        for info in listed:
            place.runs.run(info.id).cancel()

    asyncio.run(main())


def test_orders_of_a_server(place: Place) -> None:
    """A run of a server is queued under its own id, once; without a thread it is not saved."""

    async def main() -> None:
        place.let("z")
        dispatcher = place.runs.dispatcher()
        async with place.runs.worker(), AsyncPostgresSaver.from_conn_string(place.runs.database.url) as saver:
            for thread_id in (uuid4().hex, None):
                options = {"record": ("values", "updates"), "subgraphs": True}
                order = RunOrder(str(uuid4()), "waits", thread_id, {"log": ["z"]}, {"metadata": {"a": 1}}, options)
                await dispatcher.dispatch(order)
                await dispatcher.dispatch(order)
                run = place.runs.run(order.run_id)
                assert await run.aresult(3 * PATIENCE) == {"log": ["z", "z done"]}
                saved = await asyncio.to_thread(saver.get_tuple, thread(thread_id or order.run_id))
                assert (saved is None) is (thread_id is None)
            await dispatcher.cancel(str(uuid4()))
        assert place.noted().count("begins:z") == 2
        with pytest.raises(UnknownOptionError, match="has priorities"):
            place.runs.dispatcher("single")

    asyncio.run(main())


def test_a_run_that_ends_its_workers(place: Place) -> None:
    """Its readers hear that it is not started again."""

    async def main() -> None:
        from psycopg import connect

        run = await place.runs.aenqueue("dies", {"log": []}, delay=3600)
        with connect(place.runs.database.url) as connection:
            given_up = (
                "UPDATE dbos.workflow_status SET status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED' WHERE workflow_uuid = %s"
            )
            connection.execute(given_up, (run.id,))
        assert run.status == "failed"
        async with place.runs.worker():
            with pytest.raises(GraphError, match="has ended its worker again and again"):
                await run.aresult(3 * PATIENCE)
        assert run.status == "failed"
        assert "again and again" in run.info.error

    asyncio.run(main())


MISTAKES: List[Any] = [
    (("nowhere", {}), {}, UnknownOptionError, "There is no graph 'nowhere'"),
    (("stepz", {}), {}, UnknownOptionError, "Did you mean 'steps'"),
    (("steps", {}), {"queue": "singel"}, UnknownOptionError, "Did you mean 'single'"),
    (("steps", {}), {"prioritty": 1}, UnknownKeywordError, "no keyword 'prioritty'"),
    (("steps", {}), {"priority": 1}, UnknownOptionError, "begin in their order"),
    (("steps", {}), {"priority": 0, "queue": "single"}, UnknownOptionError, "from 1 on"),
    (("steps", {}, thread()), {"queue": "single"}, UnknownOptionError, "Leave out thread_id"),
    (("steps", {}, {"callbacks": []}), {}, UnknownOptionError, "with_config"),
    (("steps", {}, {"run_id": uuid4()}), {"key": "k"}, UnknownOptionError, "a key or a run_id"),
    (("steps", {}), {"delay": 1, "at": datetime.now(timezone.utc)}, UnknownOptionError, "not both"),
    (("steps", {}), {"delay": -1}, UnknownOptionError, "negative"),
    (("steps", {}), {"at": datetime(2030, 1, 1)}, UnknownOptionError, "no time zone"),
]


@pytest.mark.parametrize(("given", "options", "error", "match"), MISTAKES)
def test_mistakes_are_refused_before_anything_is_stored(
    place: Place, given: Any, options: Any, error: Any, match: str
) -> None:
    """Each names what is wrong."""
    before = len(place.runs.list())
    with pytest.raises(error, match=match):
        place.runs.enqueue(*given, **options)
    assert len(place.runs.list()) == before


def test_what_cannot_be_sent_is_refused(place: Place) -> None:
    """An object that nobody could make there is an error here; so is a class that is not allowed."""

    class Own:
        pass

    for value, match in ((lambda: None, "cannot be written down"), (Own(), "cannot be")):
        with pytest.raises(dbos_runs.UnstorableOrderError, match=match):
            place.runs.enqueue("steps", {"log": [value]})
    with pytest.raises(dbos_runs.UnknownQueuedRunError):
        place.runs.run(uuid4()).cancel()
    with pytest.raises(dbos_runs.UnknownQueuedRunError):
        _ = place.runs.run(uuid4()).status
    with pytest.raises(TimeoutError, match="has not begun within 0 seconds"):
        place.runs.enqueue("steps", {"log": []}, delay=100).attach(0)
