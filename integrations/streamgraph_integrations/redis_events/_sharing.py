"""What the processes of a server know of each other's runs: notes, leases and groups, on Redis."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, cast

from redis.asyncio import Redis

from streamgraph.runs import EventLog, RunRecord, RunStatus, SharedLog
from streamgraph.serialization import PartDecoder
from streamgraph_integrations.redis_events._connection import Settings
from streamgraph_integrations.redis_events._entries import END, end_of, place_of
from streamgraph_integrations.redis_events._scripts import DESCRIBE, ENTER
from streamgraph_integrations.redis_events._thread import HubThread
from streamgraph_integrations.redis_events._writing import RedisLog

HURRY = 3.0
"""Seconds that somebody waits for Redis who has a request to answer."""

_STORING = 5.0
"""The most seconds that the end of a run is waited for until it is stored."""

_LATEST = 2**62
"""A later attempt than there can be."""

_MOST = 1000
"""The most members of a group."""


class RunRegistry:
    """The part of `RedisEvents` that several processes need to be one server; see `streamgraph.runs.SharedEvents`."""

    _hub: HubThread
    _settings: Settings
    _decoder: PartDecoder

    async def aaccept(self, run_id: str, notes: str) -> RedisLog:
        """Note a run, and return the log of its first attempt; see `SharedEvents`."""
        return await self._hub.acall(self._hub.open, run_id, notes, HURRY)

    async def afinish(
        self, log: EventLog, status: Optional[RunStatus] = None, error: Optional[BaseException] = None
    ) -> None:
        """Write down the end of a run that was accepted here; see `SharedEvents`."""
        own = cast("RedisLog", log)
        own.finish(status, error)

        async def stored() -> None:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(own.all_stored.wait(), _STORING)

        await self._hub.acall(stored)

    async def anote(self, run_id: str, notes: str) -> None:
        """Note a run that a dispatcher has started; see `SharedEvents`."""
        key, ttl = self._settings.names.notes(run_id), self._settings.ttl_ms

        async def note(redis: Redis) -> None:
            pipeline = redis.pipeline()
            pipeline.hset(key, mapping={"text": notes, "dispatched": "1"})
            pipeline.pexpire(key, ttl)
            await pipeline.execute()

        await self._do("note a run", note)

    async def adelete(self, run_id: str) -> None:
        """Delete what is known of a run, and its events."""
        names = self._settings.names
        keys = names.events(run_id), names.alive(run_id), names.notes(run_id), names.requests(run_id)
        await self._do("delete a run", lambda redis: redis.delete(*keys))

    async def aenter(self, group: str, run_id: str) -> List[str]:
        """Add a run to a group, and return those before it that have not left; see `SharedEvents`."""
        names = self._settings.names
        keys = [names.group(group, what) for what in ("members", "active", "last", "counts")]
        given = run_id, self._settings.ttl_ms, _MOST, names.joined(group)
        found: List[bytes] = await self._do("add a run", lambda redis: redis.eval(ENTER, 4, *keys, *given))
        return [each.decode() for each in found if each != run_id.encode()]

    async def aleave(self, group: str, run_id: str, *, forget: bool = False) -> None:
        """Note that a run of a group is over; see `SharedEvents`."""
        names = self._settings.names
        for what in ("active", "members") if forget else ("active",):
            await self._remove(names.group(group, what), run_id)

    async def amembers(self, group: str, *, active: bool = False) -> List[str]:
        """Return the runs of a group, the oldest first; see `SharedEvents`."""
        key = self._settings.names.group(group, "active" if active else "members")
        found: List[bytes] = await self._do("list runs", lambda redis: redis.zrange(key, 0, -1))
        return [each.decode() for each in found]

    async def afind(self, run_ids: Sequence[str]) -> List[Optional[RunRecord]]:
        """Return what is known of runs; `None` for those that are unknown."""
        return await self._do("be asked for runs", lambda redis: self._found(redis, run_ids)) if run_ids else []

    async def anext(self, run_id: str, after: int) -> Optional[SharedLog]:
        """Wait until a run has begun or ended in a later attempt than `after`; see `SharedEvents`."""
        return await self._hub.acall(self._next, run_id, after)

    async def aover(self, run_ids: Sequence[str]) -> None:
        """Wait until runs are over, wherever they are: those that `RunOrder.after` names."""
        for run_id in run_ids:
            await self.anext(run_id, _LATEST)

    async def asignal(self, run_id: str, kind: str, *details: object) -> None:
        """Tell the process of a run something, without waiting for an answer; see `SharedEvents`."""
        key = self._settings.names.notes(run_id)
        if kind == "cancel":  # nobody may listen yet
            await self._do("take a request", lambda redis: redis.hset(key, "cancelled", "1"))
        await self._hub.acall(self._hub.tell, run_id, kind, details)

    async def arequest(self, run_id: str, kind: str, *details: object) -> object:
        """Ask the process of a run something, and wait for the answer; see `SharedEvents`."""
        return await self._hub.acall(self._hub.ask, run_id, kind, details)

    async def awatch(self, group: str, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, from any thread, when a run was added to a group; see `SharedEvents`."""
        channel = self._settings.names.joined(group)
        await self._hub.acall(self._hub.watch, channel, listener)
        return lambda: self._hub.unwatch(channel, listener)

    async def acounts(self, group: str) -> Mapping[str, int]:
        """Return the numbers that were set for the members of a group."""
        key = self._settings.names.group(group, "counts")
        found: Dict[bytes, bytes] = await self._do("return numbers", lambda redis: redis.hgetall(key))
        return {name.decode(): int(number) for name, number in found.items()}

    async def acount(self, group: str, run_id: str, number: int) -> int:
        """Set the number of a member, unless it is set already, and return it."""
        key, ttl = self._settings.names.group(group, "counts"), self._settings.ttl_ms

        async def count(redis: Redis) -> int:
            pipeline = redis.pipeline()
            pipeline.hsetnx(key, run_id, str(number))
            pipeline.pexpire(key, ttl)
            pipeline.hget(key, run_id)
            return int((await pipeline.execute())[-1])

        found: int = await self._do("keep a number", count)
        return found

    # In the thread

    async def _remove(self, key: str, run_id: str) -> None:
        await self._do("note the end of a run", lambda redis: redis.zrem(key, run_id))

    async def _do(self, what: str, work: Callable[[Redis], Any]) -> Any:
        async def patiently() -> object:
            return await self._settings.patiently(what, lambda: work(self._hub.redis), HURRY)

        return await self._hub.acall(patiently)

    async def _found(self, redis: Redis, run_ids: Sequence[str]) -> List[Optional[RunRecord]]:
        names = self._settings.names
        pipeline = redis.pipeline(transaction=False)
        for run_id in run_ids:
            keys = names.events(run_id), names.alive(run_id), names.notes(run_id), names.facts(run_id, "")
            pipeline.eval(DESCRIBE, 4, *keys)
        found: List[Optional[RunRecord]] = []
        for run_id, answer in zip(run_ids, await pipeline.execute()):
            newest, is_alive, has_begun, (notes, dispatched, begun, over) = answer
            if notes is None:
                found.append(None)
                continue
            attempt, status, end = 0, "pending", None
            if newest:
                attempt, fields = place_of(newest[0])[0], dict(zip(newest[1][::2], newest[1][1::2]))
                if END in fields:
                    status, end = end_of(self._decoder, fields[END])
                elif has_begun:
                    status = "running"
            if end is None and newest and not is_alive and not dispatched and await self._hub.bury(run_id, attempt):
                found += await self._found(redis, [run_id])
                continue
            times = (None if at is None else float(at) for at in (begun, over))
            found.append(RunRecord(run_id, notes.decode(), attempt, status, end, *times))  # type: ignore[arg-type]
        return found

    async def _next(self, run_id: str, after: int) -> Optional[SharedLog]:
        changed, channel = asyncio.Event(), self._settings.names.news(run_id)

        async def look() -> List[Optional[RunRecord]]:
            return await self._found(self._hub.redis, [run_id])

        await self._hub.watch(channel, changed.set)
        try:
            while True:
                changed.clear()
                (found,) = await self._settings.patiently("be asked for a run", look)
                if found is None:
                    return None
                if found.end is not None or (found.attempt > after and found.status == "running"):
                    return await self._hub.shared(run_id)
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(changed.wait(), self._settings.alive / 3)
        finally:
            self._hub.unwatch(channel, changed.set)
