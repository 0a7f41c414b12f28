"""`RedisEvents`: the events of many runs on one Redis, written and read by one thread of the process."""

from __future__ import annotations

import asyncio
import atexit
from datetime import timedelta
from typing import Any, Iterable, Optional, Union
from uuid import UUID, uuid4
from weakref import WeakMethod

try:
    from redis.asyncio.connection import parse_url
except ImportError as error:
    raise ImportError('streamgraph_integrations.redis_events needs redis: pip install "streamgraph[redis]"') from error

from streamgraph.serialization import PartDecoder
from streamgraph_integrations.redis_events._connection import Names, Settings
from streamgraph_integrations.redis_events._reading import RedisSharedLog
from streamgraph_integrations.redis_events._sharing import RunRegistry
from streamgraph_integrations.redis_events._thread import HubThread
from streamgraph_integrations.redis_events._writing import RedisLog

Seconds = Union[float, timedelta]
RunId = Union[str, UUID]

_FLUSH = 5.0
"""Seconds that the end of the program waits for what is still to be sent."""


class RedisEvents(RunRegistry):
    """The events of runs on Redis Streams, for all processes that know the server.

    What a run streams is stored under ids `<attempt>-<number>` by one script that Redis runs as a whole, so that
    nothing is stored twice or out of order, and nothing of an attempt after a later one has begun. One thread with an
    event loop of its own sends for all runs of the process what has come meanwhile, in one go and without a timer, and
    fetches for all readers of the process, over a few connections.

    Args:
        url: The server: `redis://`, `rediss://` or `unix://`.
        prefix: What all keys begin with.
        max_events: About how many events of a run are kept, on Redis and in the memory of its process. Who asks for
            older ones gets a `Gap`.
        max_unstored: The most events of a run that may wait to be stored, before it is held back.
        ttl: Seconds that the events of a run are kept after the last one.
        alive: Seconds without a sign of life from the process of a run after which its readers get a `RunLostError`.
        patience: Seconds that Redis may be unreachable; a run whose events cannot be stored for longer fails.
        reply: Seconds that the process of a run may take to answer a request.
        allow: The classes of the state and of custom data that readers may make; see `PartDecoder`.
        **client: Further keywords of `redis.asyncio.Redis.from_url`.

    Raises:
        ValueError: The address is none.
    """

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379",
        *,
        prefix: str = "streamgraph",
        max_events: int = 100_000,
        max_unstored: int = 10_000,
        ttl: Seconds = 86_400.0,
        alive: Seconds = 15.0,
        patience: Seconds = 60.0,
        reply: Seconds = 10.0,
        allow: Iterable[type] = (),
        **client: Any,
    ) -> None:
        times = (_seconds(value) for value in (ttl, alive, patience, reply))
        parse_url(url)
        self._settings = Settings(url, client, Names(prefix), max_events, max_unstored, *times)
        self._decoder = PartDecoder(allow)
        self._hub = HubThread(self._settings, self._decoder)
        self._at_exit = WeakMethod(self._flush)
        atexit.register(_call, self._at_exit)

    def open(self, run_id: Optional[RunId] = None) -> RedisLog:
        """Return the log for a new attempt of a run, to be given to `graph.start(..., log=...)`.

        An earlier attempt that still goes on, in any process, ends with a `RunSupersededError`.

        Args:
            run_id: The id of the run; by default a new one.

        Raises:
            ValueError: The id is no UUID.
            EventsUnavailableError: Redis cannot be reached.
        """
        return self._hub.call(self._hub.open, _uuid(run_id))

    async def aopen(self, run_id: Optional[RunId] = None) -> RedisLog:
        """Return the log for a new attempt of a run, for `graph.astart`; see `open`."""
        return await self._hub.acall(self._hub.open, _uuid(run_id))

    def log(self, run_id: RunId) -> RedisSharedLog:
        """Return the log of the newest attempt of a run, to be given to `graph.attach`.

        Args:
            run_id: The id of the run.

        Raises:
            UnknownRunError: There are no events of the run.
            EventsUnavailableError: Redis cannot be reached.
        """
        return self._hub.call(self._hub.shared, _uuid(run_id))

    async def alog(self, run_id: RunId) -> RedisSharedLog:
        """Return the log of the newest attempt of a run; see `log`."""
        return await self._hub.acall(self._hub.shared, _uuid(run_id))

    def flush(self, timeout: Seconds = _FLUSH) -> bool:
        """Wait until all that has been streamed so far is stored.

        Args:
            timeout: The most seconds to wait.

        Returns:
            False if that was not enough.
        """
        return self._hub.call(self._hub.flushed, _seconds(timeout))

    async def aflush(self, timeout: Seconds = _FLUSH) -> bool:
        """Wait until all that has been streamed so far is stored; see `flush`."""
        return await self._hub.acall(self._hub.flushed, _seconds(timeout))

    def close(self) -> None:
        """Send what is still to be sent, for at most a few seconds, and leave Redis.

        Runs that still go on fail when they stream something; readers of runs elsewhere get a `RunLostError`.
        """
        atexit.unregister(_call)
        self._hub.close(_FLUSH)

    def __enter__(self) -> RedisEvents:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    async def __aenter__(self) -> RedisEvents:
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    def _flush(self) -> None:
        self._hub.close(_FLUSH)


def _call(method: Any) -> None:
    found = method()
    if found is not None:
        found()


def _seconds(given: Seconds) -> float:
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if not seconds > 0:
        raise ValueError(f"Seconds must be greater than 0, got {given!r}")
    return float(seconds)


def _uuid(given: Optional[RunId]) -> str:
    return str(uuid4() if given is None else UUID(str(given)))
