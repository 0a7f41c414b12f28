"""Connections that must say what they want: heads of requests of a limited size, within a limited time."""

from __future__ import annotations

import asyncio
from typing import Any, Optional

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_OF_A_HEAD = 32 * 1024
"""The most bytes of the request line and the headers of a request."""


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol, which closes a connection whose request does not begin, or whose head does not end.

    uvicorn itself waits for both as long as the client likes, and so a handful of clients could use up the connections
    of a process.

    Attributes:
        head_timeout: Seconds within which the head of a request must have come.
    """

    head_timeout = 10.0
    _timer: Optional[asyncio.TimerHandle] = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.head_timeout, transport.close)

    def data_received(self, data: bytes) -> None:
        """Read what has come; wait for the rest if it is a part of a head."""
        super().data_received(data)
        is_in_head = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if not is_in_head:
            self._forget_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.head_timeout, self.transport.close)

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Wait no more."""
        self._forget_timer()
        super().connection_lost(exc)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
