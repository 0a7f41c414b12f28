"""A log that is kept elsewhere fits: as bytes, fetched late, trimmed there, with signals from other processes."""

from __future__ import annotations

import asyncio
from typing import Any, List

import pytest

from scenarios.started.distant_log import DistantLog, Pump
from scenarios.started.leaving_a_program import waits
from streamgraph.config import get_stream_writer
from streamgraph.runs import EventLog
from streamgraph.types import Gap
from support.talking import GIVEN, plain, talking
from support.value_graphs import State, graph_of
from support.waiting import PATIENCE

MODES = ["values", "updates", "custom", "messages"]


@pytest.mark.parametrize("starter", ["start", "astart"])
def test_readers_get_what_they_get_of_a_log_in_memory(starter: str) -> None:
    """At once, from the middle, and after the end, while events that are known of still have to be fetched."""
    graph = talking(asynchronous=starter == "astart")
    expected = [plain(chunk) for chunk in graph.stream(GIVEN, stream_mode=MODES)]
    log: EventLog = DistantLog()
    assert isinstance(log, DistantLog)

    async def main() -> List[List[str]]:
        run = graph.start(GIVEN, log=log) if starter == "start" else await graph.astart(GIVEN, log=log)

        async def read(**options: Any) -> List[str]:
            return [plain(chunk) async for chunk in run.astream(MODES, **options)]

        with Pump(log):
            found = [await asyncio.wait_for(read(), PATIENCE), await asyncio.wait_for(read(), PATIENCE)]
            thread = asyncio.get_running_loop().run_in_executor(None, lambda: list(map(plain, run.stream(MODES))))
            found.append(await asyncio.wait_for(thread, PATIENCE))
            found.append((await read(after="3-0"))[:])
        assert await run == run.result()
        assert run.last_id.startswith("3-")
        return found

    assert asyncio.run(main()) == [expected] * 4


def test_the_end_is_known_before_the_events() -> None:
    """A reader waits for what is still to be fetched; it does not take the end of the run for its own."""
    log = DistantLog()

    def node(state: State) -> None:
        for number in range(3):
            get_stream_writer()(number)

    run = graph_of(node=node).start({}, log=log, record="custom")
    assert run.join(PATIENCE)
    reader = run.stream("custom", heartbeat=0.01)
    assert type(next(reader)).__name__ == "Heartbeat"
    with Pump(log):
        assert [chunk for chunk in reader if isinstance(chunk, int)] == [0, 1, 2]


def test_trimmed_elsewhere() -> None:
    """What has gone there is a gap here."""
    log = DistantLog(kept=2)

    def node(state: State) -> None:
        for number in range(5):
            get_stream_writer()(number)

    run = graph_of(node=node).start({}, log=log, record="custom")
    assert run.join(PATIENCE)
    with Pump(log):
        assert list(run.stream("custom")) == [Gap(3, {}, "3-1", "3-3"), 3, 4]


def test_cancelled_from_elsewhere() -> None:
    """By a signal, which any process may send; one that nobody knows is no matter."""
    log = DistantLog()
    run = graph_of(node=waits).start({}, log=log)
    with Pump(log):
        assert next(run.stream("custom")) == "started"
        log.signal("something else")
        log.signal("cancel")
        assert run.join(PATIENCE)
    assert run.status == "cancelled"
