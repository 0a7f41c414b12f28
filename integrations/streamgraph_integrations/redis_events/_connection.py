"""How Redis is reached: its settings, the names of keys and channels, and what is tried again."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Awaitable, Callable, Dict, NamedTuple, Optional, Tuple, TypeVar, Union

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from streamgraph.runs import EventsUnavailableError

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
"""Seconds between two tries."""


class Names:
    """The names of the keys and channels of runs. All keys of a run are in one slot of a cluster.

    Args:
        prefix: What all begin with.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def events(self, run_id: str) -> str:
        """Return the key of the stream of events."""
        return f"{self.prefix}:{{{run_id}}}:events"

    def alive(self, run_id: str) -> str:
        """Return the key that exists as long as the process of the run gives a sign of life."""
        return f"{self.prefix}:{{{run_id}}}:alive"

    def facts(self, run_id: str, attempt: Union[int, str]) -> str:
        """Return the key of what readers have to know of an attempt."""
        return f"{self.prefix}:{{{run_id}}}:facts:{attempt}"

    def notes(self, run_id: str) -> str:
        """Return the key of what was noted about a run."""
        return f"{self.prefix}:{{{run_id}}}:notes"

    def requests(self, run_id: str) -> str:
        """Return the key of the stream of what other processes ask for."""
        return f"{self.prefix}:{{{run_id}}}:requests"

    def reply(self, run_id: str, request: str) -> str:
        """Return the key of the answer to a request."""
        return f"{self.prefix}:{{{run_id}}}:reply:{request}"

    def news(self, run_id: str) -> str:
        """Return the channel on which the id of the newest event comes, for those who read the run."""
        return f"{self.prefix}:news:{run_id}"

    def asked(self, run_id: str) -> str:
        """Return the channel on which a word comes when something was asked for, for the process of the run."""
        return f"{self.prefix}:asked:{run_id}"

    def group(self, group: str, what: str) -> str:
        """Return the key of something that is kept of a group of runs."""
        return f"{self.prefix}:{{group:{group}}}:{what}"

    def joined(self, group: str) -> str:
        """Return the channel on which the id of each run comes that is added to a group."""
        return f"{self.prefix}:joined:{group}"

    def of_channel(self, channel: str) -> Tuple[str, str]:
        """Return what a channel is for, `"news"`, `"asked"` or `"joined"`, and its run or group."""
        kind, _, run_id = channel[len(self.prefix) + 1 :].partition(":")
        return kind, run_id


class Settings(NamedTuple):
    """The settings of `RedisEvents`; times are in seconds."""

    url: str
    client: Dict[str, Any]
    names: Names
    max_events: int
    max_unstored: int
    ttl: float
    alive: float
    patience: float
    reply: float

    @property
    def ttl_ms(self) -> int:
        """The milliseconds that a stream is kept."""
        return int(self.ttl * 1000)

    @property
    def alive_ms(self) -> int:
        """The milliseconds that a sign of life lasts."""
        return int(self.alive * 1000)

    def connect(self, connections: int, **more: object) -> Redis:
        """Return a client.

        Args:
            connections: The most connections that it has; who needs another one waits.
            **more: Further keywords of `BlockingConnectionPool.from_url`.
        """
        options = {"max_connections": connections, "timeout": None, **self.client, "protocol": 2, **more}
        pool = BlockingConnectionPool.from_url(self.url, **options)
        return Redis.from_pool(pool)

    async def patiently(self, what: str, work: Callable[[], Awaitable[T]], seconds: Optional[float] = None) -> T:
        """Do something on Redis, and try again if it cannot be reached, or refuses.

        Args:
            what: What is done, for the error.
            work: Does it.
            seconds: For how long, if that is less than `patience`.

        Raises:
            EventsUnavailableError: It has not worked for as long as that.
        """
        patience = self.patience if seconds is None else min(seconds, self.patience)
        pause, deadline = _FIRST_PAUSE, monotonic() + patience
        while True:
            try:
                return await work()
            except (RedisError, OSError) as error:
                if monotonic() + pause > deadline:
                    raise EventsUnavailableError(
                        f"Redis could not {what} for {patience:g} seconds: {type(error).__name__}: {error}",
                        hint="Is the server there, and has it memory left?",
                    ) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE, self.alive / 6)
