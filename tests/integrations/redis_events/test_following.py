"""A run is lost only if nothing of it is left to be fetched."""

from __future__ import annotations

import asyncio
from typing import Any, List, Optional, Tuple
from uuid import uuid4

from integrations.redis_events.conftest import Make
from streamgraph_integrations.redis_events._following import Follower
from streamgraph_integrations.redis_events._leases import Doubt
from support.talking import GIVEN, talking
from support.waiting import run


class Pipeline:
    """Says that the process of a run has given no sign of life, and that the run has an end."""

    def exists(self, key: str) -> None:
        """Whether there is a sign of life."""

    def xrevrange(self, key: str, count: int) -> None:
        """The newest entry."""

    async def execute(self) -> List[Any]:
        """What was asked for."""
        return [0, [(b"1-3", {})]]


class Redis:
    """Answers when it is told to, with entries up to the newest one."""

    def __init__(self) -> None:
        self.asked: List[str] = []
        self.answers = asyncio.Event()

    def pipeline(self, transaction: bool) -> Pipeline:
        """Several questions."""
        return Pipeline()

    async def xrange(self, key: str, first: str, last: str, count: int) -> List[Tuple[bytes, Any]]:
        """Some entries."""
        self.asked.append(first)
        if len(self.asked) == 1:  # the end is stored after this question
            await self.answers.wait()
            return [(b"1-1", {})]
        return [(b"1-2", {}), (b"1-3", {})]


class Log:
    """What a reader has of a run."""

    class facts:
        """What is known of the run."""

        run_id = str(uuid4())

    attempt = 1

    def __init__(self) -> None:
        self.end: Optional[str] = None
        self.following = 0

    def add_new(self, entries: List[Tuple[bytes, Any]]) -> None:
        """Add entries, of which the last one is the end."""
        self.following = int(entries[-1][0].rpartition(b"-")[2])
        self.end = "done" if self.following == 3 else None

    def lose(self, status: str, end: Any) -> None:
        """Nothing comes any more."""
        self.end = "lost"


def test_who_looks_after_a_run_waits_for_what_is_being_fetched(make: Make) -> None:
    """A run that has ended long ago gives no sign of life either, and its events may take a while."""
    settings = make()._settings

    async def main() -> None:
        redis, log, follower = Redis(), Log(), Follower(settings, Doubt(0.001))
        given: Any = redis, log
        fetching = asyncio.ensure_future(follower.follow(*given))
        while not redis.asked:
            await asyncio.sleep(0)
        looking = asyncio.ensure_future(follower.check(*given))
        for _ in range(20):
            await asyncio.sleep(0)
        assert log.end is None and not looking.done()
        redis.answers.set()
        await asyncio.gather(fetching, looking)
        assert log.end == "done"
        assert len(redis.asked) == 2

    run(main())


def test_a_run_that_has_ended_long_ago_is_read(make: Make, server: Any) -> None:
    """Its process gives no sign of life any more."""
    graph = talking()
    here = make()
    started = graph.start(GIVEN, log=here.open())
    started.join()
    here.flush()
    with server.client() as client:
        assert client.delete(here._settings.names.alive(started.id)) == 1
    assert str(graph.attach(make(alive=0.05).log(started.id)).result()) == str(started.result())
