"""Requests to the process that drives a run, and its answers.

A request is an entry of a stream of the run, so that none is lost while a connection is. The answer is the only element
of a list, which is there for a minute.
"""

from __future__ import annotations

import asyncio
from typing import Any, Dict, Sequence
from uuid import uuid4

from redis.asyncio import Redis

from streamgraph.runs import RequestTimeoutError
from streamgraph.serialization import PartDecoder, PartEncoder
from streamgraph_integrations.redis_events._connection import Settings
from streamgraph_integrations.redis_events._writing import RedisLog

_KEPT = 1000
"""About how many requests are kept."""

_ANSWER_KEPT = 60_000
"""Milliseconds that an answer is kept."""


class Requests:
    """Sends requests, and answers those to runs of this process.

    Args:
        settings: The settings.
        decoder: Reads what comes.
    """

    def __init__(self, settings: Settings, decoder: PartDecoder) -> None:
        self._settings = settings
        self._decoder = decoder

    async def send(self, redis: Redis, run_id: str, kind: str, details: Sequence[object], reply: str = "") -> None:
        """Send a request.

        Args:
            redis: The client.
            run_id: The run.
            kind: What is asked for.
            details: What belongs to it.
            reply: The key under which the answer is expected; empty if none is.
        """
        names, settings = self._settings.names, self._settings
        text = PartEncoder(exact=True).encode(list(details))

        async def add() -> None:
            pipeline = redis.pipeline()
            key = names.requests(run_id)
            pipeline.xadd(key, {"kind": kind, "details": text, "reply": reply}, maxlen=_KEPT, approximate=True)
            pipeline.pexpire(key, settings.ttl_ms)
            pipeline.publish(names.asked(run_id), kind)
            await pipeline.execute()

        await settings.patiently("take a request", add)

    async def ask(self, redis: Redis, run_id: str, kind: str, details: Sequence[object]) -> object:
        """Send a request, and return what is answered.

        Args:
            redis: The client; one of its connections is taken until the answer comes.
            run_id: The run.
            kind: What is asked for.
            details: What belongs to it.

        Raises:
            RequestTimeoutError: There was no answer in time.
            Exception: What the run has raised.
        """
        reply = self._settings.names.reply(run_id, uuid4().hex)
        await self.send(redis, run_id, kind, details, reply)
        found = await redis.blpop([reply], timeout=self._settings.reply)  # type: ignore[misc]
        if found is None:
            raise RequestTimeoutError(
                f"The process that drives the run {run_id} has not answered {kind!r} "
                f"in {self._settings.reply:g} seconds",
                hint="It may have ended, and then readers of the run get a RunLostError soon. The request may still "
                "arrive.",
            )
        given: Dict[str, Any] = self._decoder.decode(found[1])
        if "error" in given:
            raise given["error"]
        return given["value"]

    async def serve(self, redis: Redis, log: RedisLog) -> None:
        """Do what was asked of a run of this process since the last time.

        Args:
            redis: The client.
            log: The log of the run.
        """
        if log.asked is not None:  # another task does it, and looks once more
            log.asked = True
            return
        key = self._settings.names.requests(str(log.run_id))
        log.asked = True
        try:
            while log.asked:
                log.asked = False
                for _, requests in await redis.xread({key: log.seen_request}, count=100):
                    log.asked = True
                    for entry, fields in requests:
                        log.seen_request = entry.decode()
                        await self._answer(redis, log, fields)
        finally:
            log.asked = None

    async def skip(self, redis: Redis, log: RedisLog) -> None:
        """Leave out what was asked of earlier attempts.

        Args:
            redis: The client.
            log: The log of a new attempt.
        """
        newest = await redis.xrevrange(self._settings.names.requests(str(log.run_id)), count=1)
        if newest:
            log.seen_request = newest[0][0].decode()

    async def _answer(self, redis: Redis, log: RedisLog, fields: Dict[bytes, bytes]) -> None:
        answer: Dict[str, object]
        try:
            details = tuple(self._decoder.decode(fields[b"details"]))
            # In a thread: the check of an answer is code of the user.
            kind, loop = fields[b"kind"].decode(), asyncio.get_running_loop()
            value = await loop.run_in_executor(None, log.handle, kind, details)
            answer = {"value": value}
        except Exception as error:  # it is raised where the request was made
            answer = {"error": error}
        reply = fields[b"reply"]
        if not reply:
            return
        pipeline = redis.pipeline()
        pipeline.rpush(reply.decode(), PartEncoder(exact=True).encode(answer).decode())
        pipeline.pexpire(reply.decode(), _ANSWER_KEPT)
        await pipeline.execute()
