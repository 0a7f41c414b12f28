"""The thread of a process that talks to Redis, with an event loop of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import Any, Callable, Coroutine, Dict, List, Optional, Sequence, Set, Tuple, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from streamgraph.runs import EventsUnavailableError, RunEnd, RunFacts, UnknownRunError
from streamgraph.serialization import PartDecoder
from streamgraph_integrations.redis_events._connection import Settings
from streamgraph_integrations.redis_events._entries import END, facts_of, facts_text, news_of, place_of
from streamgraph_integrations.redis_events._following import Follower
from streamgraph_integrations.redis_events._leases import Doubt, bury
from streamgraph_integrations.redis_events._news import News
from streamgraph_integrations.redis_events._reading import RedisSharedLog
from streamgraph_integrations.redis_events._requests import Requests
from streamgraph_integrations.redis_events._scripts import OPEN
from streamgraph_integrations.redis_events._sending import Sender
from streamgraph_integrations.redis_events._writing import RedisLog

_log = logging.getLogger("streamgraph")

T = TypeVar("T")

CLOSED = "These RedisEvents are closed"

_CONNECTIONS = 8
"""Connections for what is short."""

_WAITING_CONNECTIONS = 64
"""Connections for requests that wait for an answer."""

_SLACK = 5.0
"""Seconds that the answer of Redis may take on top of what it was told to wait."""

_PAGES = 512
"""The most pages of events that are kept of a run that is read."""

_PAUSE = 0.01
"""Seconds between two looks at something that will be there soon."""


class HubThread:
    """Sends, fetches, asks and answers for all runs of a process. The thread begins when it is first needed.

    Args:
        settings: The settings.
        decoder: Reads what comes.
    """

    def __init__(self, settings: Settings, decoder: PartDecoder) -> None:
        self._settings = settings
        self._decoder = decoder
        self._requests = Requests(settings, decoder)
        self._doubt = Doubt(settings.alive)
        self._follower = Follower(settings, self._doubt)
        self._listeners: Dict[str, List[Callable[[], object]]] = {}
        self._starting = threading.Lock()
        self._thread: Optional[threading.Thread] = None
        self._closed = False
        self._tasks: Set[asyncio.Task[object]] = set()
        self._joining: List[str] = []
        self._loop: asyncio.AbstractEventLoop
        self._has_listened = False
        self._redis: Redis
        self._waiting: Redis
        self._sender: Sender
        self._news: News

    @property
    def redis(self) -> Redis:
        """The client for what is short, in the thread."""
        return self._redis

    # From any thread

    def call(self, work: Callable[..., Coroutine[Any, Any, T]], *given: object) -> T:
        """Do something in the thread, and wait for it.

        Raises:
            EventsUnavailableError: The thread has ended.
        """
        return self._submitted(work, *given).result()

    async def acall(self, work: Callable[..., Coroutine[Any, Any, T]], *given: object) -> T:
        """Do something in the thread, and wait for it on an event loop; see `call`."""
        return await asyncio.wrap_future(self._submitted(work, *given))

    def fetch(self, log: RedisSharedLog, after: int) -> None:
        """Fetch a page of events; see `Fetcher`."""
        self._tell(self._follower.page, log, after)

    def signal(self, log: RedisSharedLog, kind: str) -> None:
        """Tell the process of a run something; see `Fetcher`."""
        self._tell(self._signal, log, kind)

    def request(self, log: RedisSharedLog, kind: str, details: Sequence[object]) -> object:
        """Ask the process of a run something; see `Fetcher`."""
        return self.call(self._ask, log, kind, details)

    async def arequest(self, log: RedisSharedLog, kind: str, details: Sequence[object]) -> object:
        """Ask the process of a run something; see `Fetcher`."""
        return await self.acall(self._ask, log, kind, details)

    def close(self, seconds: float) -> None:
        """Send what is still to be sent, and end the thread.

        Args:
            seconds: How long that may take.
        """
        with self._starting:
            closed, self._closed = self._closed, True
        thread = self._thread
        if closed or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._end(seconds), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        thread.join(seconds)

    # In the thread

    async def open(self, run_id: str, notes: str = "", seconds: Optional[float] = None) -> RedisLog:
        """Return the log of a new attempt of a run; see `RedisEvents.open`.

        Args:
            run_id: The id of the run.
            notes: What is to be known of it. If there is something, its end is held back.
            seconds: How long it may take.
        """
        settings, names = self._settings, self._settings.names

        async def add() -> List[int]:
            keys = names.events(run_id), names.alive(run_id), names.notes(run_id)
            given = str(settings.ttl_ms), str(settings.alive_ms), names.news(run_id), notes
            opened: List[int] = await self._redis.eval(OPEN, 3, *keys, *given)  # type: ignore[misc]
            return opened

        attempt, is_cancelled = await settings.patiently("open a run", add, seconds)
        log = RedisLog(
            run_id,
            attempt,
            self._sender.wake,
            max_events=settings.max_events,
            max_unstored=settings.max_unstored,
            holds_end=bool(notes),
        )
        if not notes:  # otherwise there was nothing before
            await settings.patiently("be asked for requests", lambda: self._requests.skip(self._redis, log))
        self._sender.logs[run_id] = log
        await self._news.listen_to(names.asked(run_id), seconds)
        if is_cancelled:
            self._begin(self._cancel_begun(log))
        return log

    async def _cancel_begun(self, log: RedisLog) -> None:
        """Cancel a run when it has begun: that was asked for before."""
        while not log.begun:
            await asyncio.sleep(_PAUSE)
        await self._loop.run_in_executor(None, log.handle, "cancel", ())

    async def shared(self, run_id: str) -> RedisSharedLog:
        """Return the log of the newest attempt of a run; see `RedisEvents.log`."""
        channel = self._settings.names.news(run_id)
        self._joining.append(channel)
        try:
            await self._news.listen_to(channel)
            attempt, number, facts = await self._newest(run_id)
            log = self._follower.find(run_id, attempt)
            if log is None or log.is_lost:
                log = RedisSharedLog(facts, attempt, number, self, self._decoder, _PAGES)
                self._follower.add(log)
            else:
                log.know(number)
        finally:
            self._joining.remove(channel)
        await self._follower.follow(self._redis, log)
        return log

    async def _newest(self, run_id: str) -> Tuple[int, int, RunFacts]:
        """Return the newest attempt of a run, the number of its last event, and its facts, which come with its first.

        Raises:
            UnknownRunError: There is none.
        """
        names, settings = self._settings.names, self._settings
        deadline = monotonic() + settings.reply
        while True:
            newest = await settings.patiently(
                "be asked for a run", lambda: self._redis.xrevrange(names.events(run_id), count=1)
            )
            if not newest:
                raise UnknownRunError(
                    f"There are no events of a run {run_id}", hint="It was never started, or they have expired (ttl=)."
                )
            attempt, number = place_of(newest[0][0])
            facts = names.facts(run_id, attempt)
            text = await settings.patiently("be asked for a run", lambda: self._redis.get(facts))  # noqa: B023
            if text is None and END in newest[0][1]:  # it has ended before it has begun
                text = facts_text(RunFacts(run_id, (), (), ()))
            if text is not None:
                return attempt, number - 1 if END in newest[0][1] else number, facts_of(text)
            if monotonic() > deadline:
                raise UnknownRunError(
                    f"The run {run_id} was opened, but has not begun in {settings.reply:g} seconds",
                    hint="Give the log to graph.start(..., log=...).",
                )
            await asyncio.sleep(_PAUSE)

    async def flushed(self, seconds: float) -> bool:
        """Return whether all is stored that was streamed so far, within so many seconds."""
        deadline = monotonic() + seconds
        while not self._sender.idle:
            if monotonic() > deadline:
                return False
            await asyncio.sleep(_PAUSE)
        return True

    def _submitted(self, work: Callable[..., Coroutine[Any, Any, T]], *given: object) -> Future[T]:
        """Begin something in the thread, and the thread itself if it is not there."""
        with self._starting:
            if self._closed:
                raise EventsUnavailableError(CLOSED)
            if self._thread is None:
                begun = threading.Event()
                thread = threading.Thread(target=self._main, args=(begun,), name="streamgraph-redis", daemon=True)
                thread.start()
                begun.wait()
                self._thread = thread
        return asyncio.run_coroutine_threadsafe(work(*given), self._loop)

    def _main(self, begun: threading.Event) -> None:
        self._loop = loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(self._connect())
        begun.set()
        try:
            loop.run_forever()
        finally:
            loop.close()

    async def _connect(self) -> None:
        self._redis = self._settings.connect(_CONNECTIONS)
        patience = self._settings.reply + _SLACK  # longer than Redis itself waits
        self._waiting = self._settings.connect(_WAITING_CONNECTIONS, socket_timeout=patience)
        self._news = News(self._settings, self._heard, self._missed)
        self._sender = Sender(self._settings, self._loop)
        for work in (self._sender.run(self._redis), self._news.run(self._redis), self._watch()):
            self._begin(work)

    def _begin(self, work: Coroutine[Any, Any, object]) -> None:
        """Do something in a task of the thread; what goes wrong there is logged."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("Events on Redis: a task has failed", exc_info=task.exception())

    def _tell(self, work: Any, log: RedisSharedLog, *more: object) -> None:
        loop = self._loop
        with suppress(RuntimeError):  # the thread has ended, and its logs have been told so
            loop.call_soon_threadsafe(lambda: self._begin(work(self._redis, log, *more)))

    async def tell(self, run_id: str, kind: str, details: Sequence[object]) -> None:
        """Tell the process of a run something."""
        await self._requests.send(self._redis, run_id, kind, details)

    async def ask(self, run_id: str, kind: str, details: Sequence[object]) -> object:
        """Ask the process of a run something, and return the answer."""
        return await self._requests.ask(self._waiting, run_id, kind, details)

    async def bury(self, run_id: str, attempt: int) -> bool:
        """Write down that a run is lost, unless its process may have had no time to show that it lives; see `bury`."""
        return not self._doubt.there and await bury(self._redis, self._settings, run_id, attempt)

    async def watch(self, channel: str, listener: Callable[[], object]) -> None:
        """Call `listener` at each word on a channel, and when words may have been missed."""
        self._listeners.setdefault(channel, []).append(listener)
        await self._news.listen_to(channel, self._settings.reply)

    def unwatch(self, channel: str, listener: Callable[[], object]) -> None:
        """Call `listener` no more; from any thread. The channel is left at the next look."""
        listeners = self._listeners.get(channel, [])
        with suppress(ValueError):
            listeners.remove(listener)
        if not listeners:
            self._listeners.pop(channel, None)

    async def _signal(self, redis: Redis, log: RedisSharedLog, kind: str) -> None:
        await self.tell(log.facts.run_id, kind, ())

    async def _ask(self, log: RedisSharedLog, kind: str, details: Sequence[object]) -> object:
        return await self.ask(log.facts.run_id, kind, details)

    def _missed(self) -> None:
        if self._has_listened:  # Redis was away, for the other processes as well
            self._doubt.begin()
        self._has_listened = True
        self._begin(self._look())

    def _heard(self, channel: str, word: bytes) -> None:
        for listener in tuple(self._listeners.get(channel, ())):
            listener()
        kind, run_id = self._settings.names.of_channel(channel)
        if kind == "asked":
            log = self._sender.logs.get(run_id)
            if log is not None:
                self._begin(self._requests.serve(self._redis, log))
            return
        if kind == "joined":
            return
        attempt, last, entries = news_of(word)
        for shared in self._follower.of(run_id):
            if shared.attempt != attempt:  # after the beginning of a later attempt nothing comes of this one
                self._begin(self._follower.check(self._redis, shared))
            elif not self._follower.take(shared, last, entries):
                self._begin(self._follower.follow(self._redis, shared))

    async def _watch(self) -> None:
        """Give signs of life of the runs of this process, and look for those of others."""
        with suppress(RedisError, OSError):
            self._doubt.begin((await self._redis.info("server"))["uptime_in_seconds"])
        while True:
            await asyncio.sleep(self._settings.alive / 3)
            await self._look()

    async def _look(self) -> None:
        with suppress(RedisError, OSError):
            await self._sender.show_life(self._redis)
        for listener in [listener for listeners in tuple(self._listeners.values()) for listener in listeners]:
            listener()
        for log in tuple(self._sender.logs.values()):
            self._sender.wake(log)
            with suppress(RedisError, OSError):
                await self._requests.serve(self._redis, log)
        # As many at the same time as there are connections: one after the other, the last of many would wait for long.
        read = [shared for shared in self._follower.all() if shared.end is None]
        await asyncio.gather(*(self._follower.check(self._redis, shared) for shared in read))
        del read  # so that a run that nobody reads any more is forgotten below
        await self._forget()

    async def _forget(self) -> None:
        """Listen no more to runs that are over, or that nobody reads."""
        names = self._settings.names
        wanted = {names.asked(run_id) for run_id in self._sender.logs}
        wanted |= {names.news(log.facts.run_id) for log in self._follower.all()}
        wanted |= set(self._joining) | set(self._listeners)
        await self._news.listen_only_to(wanted)

    async def _end(self, seconds: float) -> None:
        await self.flushed(seconds)
        error = EventsUnavailableError(CLOSED)
        self._sender.close(error)
        for shared in self._follower.all():
            if shared.end is None:
                shared.lose("failed", RunEnd(error=error))
        deadline = monotonic() + seconds
        while self._tasks and monotonic() < deadline:
            for task in self._tasks:  # again and again: what waits for a broken connection may miss it
                task.cancel()
            await asyncio.wait(self._tasks, timeout=_PAUSE)
        for client in (self._redis, self._waiting):
            with suppress(RedisError, OSError, asyncio.TimeoutError):
                await asyncio.wait_for(client.aclose(), seconds)
