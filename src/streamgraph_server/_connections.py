"""Connections that must say what they want: heads of requests of a limited size, within a limited time.

What is streamed to them costs little.
"""

from __future__ import annotations

import asyncio
from typing import Any, Optional

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_OF_A_HEAD = 32 * 1024
"""The most bytes of the request line and the headers of a request."""


class StreamingConnection(h11.Connection):
    """h11's side of a connection, which frames the pieces of an answer of unknown length without its state machine.

    These pieces leave the state of a connection as it is, and h11 takes longer to find that out than to send them.
    """

    _is_chunked = False

    def send(self, event: Any) -> Any:
        """Return the bytes of an event; see h11."""
        if self._is_chunked and type(event) is h11.Data and self.our_state is h11.SEND_BODY:
            data = event.data
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        sent = super().send(event)
        self._is_chunked = type(event) is h11.Response and b"transfer-encoding: chunked\r\n" in sent.lower()
        return sent


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol, which closes a connection whose request does not begin, or whose head does not end.

    uvicorn itself waits for both as long as the client likes, and so a handful of clients could use up the connections
    of a process.

    Attributes:
        head_timeout: Seconds within which the head of a request must have come.
    """

    head_timeout = 10.0
    _timer: Optional[asyncio.TimerHandle] = None

    def __init__(self, config: Config, *given: Any, **more: Any) -> None:
        super().__init__(config, *given, **more)
        self.conn = StreamingConnection(h11.SERVER, config.h11_max_incomplete_event_size or MOST_OF_A_HEAD)

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
