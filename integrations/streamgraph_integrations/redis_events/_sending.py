"""Sends what runs stream: of all runs of the process what has come meanwhile, in one go."""

from __future__ import annotations

import asyncio
from collections import deque
from time import time
from typing import Deque, Dict, List

from redis.asyncio import Redis
from redis.exceptions import RedisError

from streamgraph.runs import EventsUnavailableError, RunLostError, RunSupersededError
from streamgraph_integrations.redis_events._connection import Settings
from streamgraph_integrations.redis_events._entries import facts_text
from streamgraph_integrations.redis_events._scripts import APPEND
from streamgraph_integrations.redis_events._writing import RedisLog

_RUNS = 256
"""The most runs whose entries are sent at once."""


class Sender:
    """The logs of this process that have something to send.

    Args:
        settings: The settings.
        loop: The event loop of the thread that sends.

    Attributes:
        logs: The logs that are not over, by run.
    """

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.logs: Dict[str, RedisLog] = {}
        self._settings = settings
        self._loop = loop
        self._queue: Deque[RedisLog] = deque()
        self._told = False
        self._something = asyncio.Event()
        self._closed = False

    def wake(self, log: RedisLog) -> None:
        """Note that a log has something to send; from any thread."""
        if not log.queued:
            log.queued = True
            self._queue.append(log)
            if not self._told:
                self._told = True
                if not self._closed:
                    self._loop.call_soon_threadsafe(self._something.set)

    @property
    def idle(self) -> bool:
        """True if nothing is left to send."""
        return not any(log.unsent for log in self.logs.values())

    def close(self, error: BaseException) -> None:
        """End with an error what still goes on."""
        self._closed = True
        for log in self.logs.values():
            if not log.over:
                log.fail(error)
        self.logs.clear()

    async def show_life(self, redis: Redis) -> None:
        """Show that this process is alive for its runs that have not begun; those that have show it as they store.

        Args:
            redis: The client.
        """
        pipeline = redis.pipeline(transaction=False)
        waiting = [log for log in self.logs.values() if not log.begun]
        for log in waiting:
            pipeline.set(self._settings.names.alive(log.run_id), log.attempt, px=self._settings.alive_ms)
        if waiting:
            await pipeline.execute()

    async def run(self, redis: Redis) -> None:
        """Send what comes, until the task is cancelled.

        Args:
            redis: The client.
        """
        while True:
            await self._something.wait()
            self._something.clear()
            self._told = False
            while self._queue:
                await self._send(redis, self._next_logs())

    def _next_logs(self) -> List[RedisLog]:
        logs: List[RedisLog] = []
        while self._queue and len(logs) < _RUNS:
            log = self._queue.popleft()
            log.queued = False
            logs.append(log)
        return logs

    async def _send(self, redis: Redis, logs: List[RedisLog]) -> None:
        """Send the entries of some logs until all that they had is stored, or given up."""
        try:
            await self._settings.patiently("store events", lambda: self._store(redis, logs))
        except EventsUnavailableError as error:
            for log in logs:
                log.fail(error)
        for log in logs:
            if log.over:
                log.all_stored.set()
                if self.logs.get(str(log.run_id)) is log:  # else a later attempt is in its place
                    del self.logs[str(log.run_id)]
            elif log.unsent:
                self.wake(log)

    async def _store(self, redis: Redis, logs: List[RedisLog]) -> None:
        """Send the next entries of each log.

        Raises:
            RedisError: Some could not be stored; those that could are not sent again.
        """
        names, settings = self._settings.names, self._settings
        pipeline = redis.pipeline(transaction=False)
        asked: List[RedisLog] = []
        for log in logs:
            if log.begun and not log.over:
                run_id = str(log.run_id)
                asked.append(log)
                pipeline.eval(
                    APPEND,
                    4,
                    names.events(run_id),
                    names.alive(run_id),
                    names.facts(run_id, log.attempt),
                    names.notes(run_id),
                    log.attempt,
                    log.stored + 1,
                    settings.max_events,
                    settings.ttl_ms,
                    settings.alive_ms,
                    names.news(run_id),
                    facts_text(log.facts),
                    time(),
                    *[item for entry in log.entries() for item in entry],
                )
        refused: List[RedisError] = []
        for log, answer in zip(asked, await pipeline.execute(raise_on_error=False)):
            if isinstance(answer, RedisError):
                refused.append(answer)
            elif isinstance(answer, list):
                newest, run_id = answer[0], log.run_id
                if newest == log.attempt:  # the others have taken this process for dead
                    log.fail(RunLostError(run_id, newest, newest))
                else:
                    log.fail(RunSupersededError(run_id, log.attempt, newest))
            elif answer < 0:
                log.fail(EventsUnavailableError(_LOST, hint=_REMEDY))
            else:
                log.sent(answer)
        if refused:
            raise refused[0]


_LOST = "Redis has lost events of this run that it had stored"
_REMEDY = "Let it keep them longer (ttl=), give it more memory, or let it write to the disk (appendonly yes)."
