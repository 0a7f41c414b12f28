"""Fetches what is new in the runs that this process reads, and what its readers ask for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Dict, List, Optional, Tuple
from weakref import WeakValueDictionary

from redis.asyncio import Redis
from redis.exceptions import RedisError

from streamgraph.runs import EventsUnavailableError, RunEnd, RunLostError
from streamgraph_integrations.redis_events._connection import Settings
from streamgraph_integrations.redis_events._entries import Entries, place_of
from streamgraph_integrations.redis_events._leases import Doubt, bury
from streamgraph_integrations.redis_events._reading import PAGE, RedisSharedLog

_COUNT = 1024
"""The most entries that are fetched at once."""

_HIGHEST = 2**64 - 1
"""The highest number of an entry that there can be."""

Key = Tuple[str, int]
"""A run and an attempt."""


class _Fetching:
    """What is fetched of one log.

    Attributes:
        again: Whether there may be more.
        over: Is set when all that was there has been added.
    """

    def __init__(self) -> None:
        self.again = True
        self.over = asyncio.Event()


class Follower:
    """The logs that this process reads.

    Args:
        settings: The settings.
        doubt: Whether a missing sign of life says something.
    """

    def __init__(self, settings: Settings, doubt: Doubt) -> None:
        self._logs: Dict[str, WeakValueDictionary[int, RedisSharedLog]] = {}
        self._settings = settings
        self._doubt = doubt
        self._fetching: Dict[Key, _Fetching] = {}

    def add(self, log: RedisSharedLog) -> None:
        """Follow a log for as long as somebody has it."""
        self._logs.setdefault(log.facts.run_id, WeakValueDictionary())[log.attempt] = log

    def find(self, run_id: str, attempt: int) -> Optional[RedisSharedLog]:
        """Return the log of an attempt, if somebody has it."""
        logs = self._logs.get(run_id)
        return None if logs is None else logs.get(attempt)

    def of(self, run_id: str) -> List[RedisSharedLog]:
        """Return the logs of a run that somebody has."""
        logs = self._logs.get(run_id)
        return [] if logs is None else list(logs.values())

    def all(self) -> List[RedisSharedLog]:
        """Return all logs that somebody has, and forget the runs that nobody reads any more."""
        found: List[RedisSharedLog] = []
        for run_id in tuple(self._logs):
            logs = self.of(run_id)
            found.extend(logs)
            if not logs:
                del self._logs[run_id]
        return found

    def take(self, log: RedisSharedLog, last: int, entries: Entries) -> bool:
        """Add entries that came with news; return False if others have to be fetched.

        Args:
            log: The log.
            last: The number of the last entry that there is.
            entries: The entries, up to that one.
        """
        missing = last - log.following
        if missing <= 0 or log.end is not None:
            return True
        if missing > len(entries) or (log.facts.run_id, log.attempt) in self._fetching:
            return False
        self._add(log, entries[-missing:])
        return True

    def _add(self, log: RedisSharedLog, entries: Entries) -> None:
        try:
            log.add_new(entries)
        except Exception as error:  # what was stored cannot be read here, such as a class that is not allowed
            log.lose("failed", RunEnd(error=error))

    async def follow(self, redis: Redis, log: RedisSharedLog) -> None:
        """Fetch what is new in a log. News that comes meanwhile is fetched as well.

        Args:
            redis: The client.
            log: The log.
        """
        key = (log.facts.run_id, log.attempt)
        known = self._fetching.get(key)
        if known is not None:
            known.again = True
            await known.over.wait()
            return
        fetching = self._fetching[key] = _Fetching()
        try:
            while fetching.again and log.end is None:
                fetching.again = False
                entries = await self._range(redis, log, log.following, _COUNT)
                if len(entries) == _COUNT:
                    fetching.again = True
                if entries:
                    self._add(log, entries)
        except Exception as error:  # they cannot be fetched, for whatever reason: the readers are to hear of it
            log.lose("failed", RunEnd(error=error))
        finally:
            del self._fetching[key]
            fetching.over.set()

    async def page(self, redis: Redis, log: RedisSharedLog, after: int) -> None:
        """Fetch a page that somebody reads.

        Args:
            redis: The client.
            log: The log.
            after: The number of the event after which it begins.
        """
        try:
            log.add_page(after, await self._range(redis, log, after, PAGE - after % PAGE))
        except EventsUnavailableError:
            log.miss()
        except Exception as error:  # it cannot be read here; see `follow`
            if log.end is None:
                log.lose("failed", RunEnd(error=error))
            log.miss()

    async def check(self, redis: Redis, log: RedisSharedLog) -> None:
        """Fetch what is new without having been told, and find out if the run is still driven.

        Args:
            redis: The client.
            log: The log.
        """
        names, run_id = self._settings.names, log.facts.run_id

        async def look() -> Tuple[int, Entries]:
            pipeline = redis.pipeline(transaction=False)
            pipeline.exists(names.alive(run_id))
            pipeline.xrevrange(names.events(run_id), count=1)
            found: Tuple[int, Entries] = tuple(await pipeline.execute())
            return found

        try:
            alive, newest = await self._settings.patiently("be asked for a run", look)
        except EventsUnavailableError as error:
            log.lose("failed", RunEnd(error=error))
            return
        await self.follow(redis, log)
        attempt = place_of(newest[0][0])[0] if newest else 0
        if log.end is not None:
            return
        silent = attempt == log.attempt and self._is_silent(log, alive)
        if silent and not self._doubt.there:
            with suppress(RedisError, OSError):
                if await bury(redis, self._settings, run_id, attempt):
                    await self.follow(redis, log)
        if log.end is None and (attempt != log.attempt or silent):
            log.lose("failed", RunEnd(error=RunLostError(run_id, log.attempt, attempt)))

    def _is_silent(self, log: RedisSharedLog, alive: int) -> bool:
        """Return whether there was no sign of life at two looks: at one there is none if Redis was away before."""
        if alive:
            log.silent_since = None
        elif log.silent_since is None:
            log.silent_since = monotonic()
        else:
            return monotonic() - log.silent_since > self._settings.alive / 4
        return False

    async def _range(self, redis: Redis, log: RedisSharedLog, after: int, count: int) -> Entries:
        key = self._settings.names.events(log.facts.run_id)
        first, last = f"{log.attempt}-{after + 1}", f"{log.attempt}-{_HIGHEST}"

        async def fetch() -> Entries:
            found: Entries = await redis.xrange(key, first, last, count)
            return found

        return await self._settings.patiently("return events", fetch)
