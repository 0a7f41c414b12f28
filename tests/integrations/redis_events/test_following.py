"""What is new comes with the news of it, and what is missing is fetched: a run is lost only if nothing is left."""

from __future__ import annotations

import asyncio
from threading import Semaphore
from typing import Any, List, Optional, Tuple
from uuid import uuid4

import pytest

from integrations.redis_events.conftest import Make
from streamgraph.config import get_stream_writer
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph_integrations.redis_events._entries import news_of
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


@pytest.mark.parametrize(
    ("word", "news"),
    [
        (b"2-7", (2, 7, [])),
        (b"1-1 e:3\nabc", (1, 1, [(b"1-1", {b"e": b"abc"})])),
        (
            b"3-12 e:4 e:0 end:2\n\na b{}",
            (3, 12, [(b"3-10", {b"e": b"\na b"}), (b"3-11", {b"e": b""}), (b"3-12", {b"end": b"{}"})]),
        ),
    ],
)
def test_news(word: bytes, news: Any) -> None:
    """The entries are cut by their lengths: they may hold anything."""
    assert news_of(word) == news


def stepping(size: int, count: int, step: Any) -> Any:
    """A graph whose node writes so many texts of a size, and waits after each until it was read."""

    def node(state: Any) -> Any:
        for number in range(count):
            get_stream_writer()(f"{number} " + "\u00e4" * size)
            step()
        return {}

    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()


def fetches(server: Any) -> int:
    """How often entries were fetched so far."""
    with server.client() as client:
        found = client.info("commandstats").get("cmdstat_xrange", {"calls": 0})
    return int(found["calls"])


@pytest.mark.parametrize(("size", "each"), [(100, 0), (100_000, 1)])
def test_what_is_new_comes_with_the_news(make: Make, server: Any, size: int, each: int) -> None:
    """Nothing is fetched for small events; those that are large are fetched by who reads them."""
    count, was_read = 40, Semaphore(0)
    graph = stepping(size, count, was_read.acquire)
    here, there = make(), make()
    run = graph.start(GIVEN, log=here.open(), record="custom")
    reader = graph.attach(there.log(run.id)).stream("custom")
    before = fetches(server)
    for number in range(count):
        assert next(reader) == f"{number} " + "\u00e4" * size
        was_read.release()
    assert list(reader) == []
    assert each * (count - 2) <= fetches(server) - before <= each * count + 2


def test_news_that_were_missed_are_fetched(make: Make) -> None:
    """With the next ones it is seen that some are missing."""
    count, was_read = 20, Semaphore(0)
    graph = stepping(10, count, was_read.acquire)
    here, there = make(), make()
    run = graph.start(GIVEN, log=here.open(), record="custom")
    reader = graph.attach(there.log(run.id)).stream("custom")
    heard, news = there._hub._news._heard, []

    def hear(channel: str, word: bytes) -> None:
        news.append(word)
        if len(news) % 3 == 0 or b"end:" in word:
            heard(channel, word)

    there._hub._news._heard = hear
    for _ in range(count):
        was_read.release()
    assert [int(chunk.split()[0]) for chunk in reader] == list(range(count))
