"""Runs whose process gives no sign of life any more."""

from __future__ import annotations

from time import monotonic, time

from redis.asyncio import Redis

from streamgraph.runs import RunEnd, RunLostError
from streamgraph.serialization import PartEncoder
from streamgraph_integrations.redis_events._connection import Settings
from streamgraph_integrations.redis_events._entries import end_entry
from streamgraph_integrations.redis_events._scripts import BURY


async def bury(redis: Redis, settings: Settings, run_id: str, attempt: int) -> bool:
    """Write down that a run has failed whose process gives no sign of life.

    Args:
        redis: The client.
        settings: The settings.
        run_id: The run.
        attempt: Its newest attempt.

    Returns:
        True if that is written down now, by this process.
    """
    names = settings.names
    end = RunEnd(error=RunLostError(run_id, attempt, attempt))
    _, text = end_entry(PartEncoder(exact=True), "failed", end)
    keys = names.events(run_id), names.alive(run_id), names.notes(run_id)
    given = attempt, text, settings.ttl_ms, names.news(run_id), time()
    return bool(await redis.eval(BURY, 3, *keys, *given))  # type: ignore[misc]


class Doubt:
    """Whether a missing sign of life says something: not if Redis itself was away, which all processes notice.

    Args:
        alive: The seconds that a sign of life lasts.
    """

    def __init__(self, alive: float) -> None:
        self._alive = alive
        self._until = monotonic() + alive

    def begin(self, uptime: float = 0.0) -> None:
        """Note that Redis was away until now, or since when it has been there, if that is known for the first time."""
        self._until = monotonic() + self._alive - uptime

    @property
    def there(self) -> bool:
        """True if the processes that live may have had no time yet to say so."""
        return monotonic() < self._until
