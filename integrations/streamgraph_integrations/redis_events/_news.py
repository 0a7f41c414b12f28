"""Listens to the channels of runs, over one connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Callable, Dict, Iterable, Optional

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from streamgraph.runs import EventsUnavailableError
from streamgraph_integrations.redis_events._connection import Settings

_PAUSE = 0.01
"""Seconds between two tries to connect."""


class News:
    """The channels that this process listens to.

    One task connects and reads. Other tasks only send on its connection: two that connect at the same time would read
    each other's answers.

    Args:
        settings: The settings.
        heard: Is called with a channel and what was said there.
        missed: Is called when something may have been missed, because there was no connection.
    """

    def __init__(self, settings: Settings, heard: Callable[[str, bytes], object], missed: Callable[[], object]) -> None:
        self._settings = settings
        self._heard = heard
        self._missed = missed
        self._wanted: Dict[str, asyncio.Event] = {}
        self._something = asyncio.Event()
        self._connection: Optional[AbstractConnection] = None

    async def listen_to(self, channel: str, seconds: Optional[float] = None) -> None:
        """Listen to a channel. From the return on nothing is missed that is said there without `missed` being called.

        Args:
            channel: The channel.
            seconds: How long there may be no connection, if that is less than `patience`.

        Raises:
            EventsUnavailableError: There is no connection for longer than that.
        """
        patience = self._settings.patience if seconds is None else min(seconds, self._settings.patience)
        begun = self._wanted.get(channel)
        if begun is None:
            begun = self._wanted[channel] = asyncio.Event()
            self._something.set()
            await self._send("SUBSCRIBE", channel)
        try:
            await asyncio.wait_for(begun.wait(), patience)
        except asyncio.TimeoutError:
            raise EventsUnavailableError(
                f"Redis could not be listened to for {patience:g} seconds", hint="Is the server there?"
            ) from None

    async def listen_only_to(self, channels: Iterable[str]) -> None:
        """Listen no more to other channels than these.

        Args:
            channels: The channels.
        """
        unwanted = set(self._wanted).difference(channels)
        for channel in unwanted:
            del self._wanted[channel]
        if unwanted:
            await self._send("UNSUBSCRIBE", *unwanted)
        if not self._wanted:
            self._something.clear()

    async def run(self, redis: Redis) -> None:
        """Listen, until the task is cancelled.

        Args:
            redis: The client.
        """
        while True:
            await self._something.wait()
            # redis-py's own PubSub connects again wherever it is when the connection breaks.
            connection = redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await self._listen(connection)
            except (RedisError, OSError):
                for begun in self._wanted.values():
                    begun.clear()
            finally:
                self._connection = None
                with suppress(RedisError, OSError):
                    await connection.disconnect()
            await asyncio.sleep(_PAUSE)

    async def _listen(self, connection: AbstractConnection) -> None:
        await connection.connect()  # type: ignore[no-untyped-call]
        self._connection = connection
        unconfirmed = set(self._wanted)
        if unconfirmed:
            await connection.send_command("SUBSCRIBE", *unconfirmed)
        while True:
            answer = await connection.read_response(timeout=self._settings.alive, disconnect_on_error=False)
            if answer is None:
                continue
            kind, name, word = answer
            channel = name.decode()
            if kind == b"message":
                self._heard(channel, word)
            elif kind == b"subscribe" and channel in self._wanted:
                self._wanted[channel].set()
                if channel in unconfirmed:
                    unconfirmed.discard(channel)
                    if not unconfirmed:
                        self._missed()

    async def _send(self, command: str, *channels: str) -> None:
        """Send a command on the connection as it is; without one, all that is wanted is sent when there is one."""
        connection = self._connection
        if connection is not None and connection.is_connected:
            with suppress(RedisError, OSError):  # whoever reads it gets an error as well
                await connection.send_command(command, *channels)
