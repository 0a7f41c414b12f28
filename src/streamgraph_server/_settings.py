"""What a server was told by whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Awaitable, Callable, FrozenSet, Optional

from starlette.requests import Request
from typing_extensions import Literal

Auth = Callable[[Request], Awaitable[Optional[str]]]
"""Returns the id of the user who sends a request, or `None` if it is nobody who may."""

Errors = Literal["message", "type"]


@dataclass(frozen=True)
class Settings:
    """The limits and choices of a server; `serve` says what each means."""

    auth: Optional[Auth] = None
    cors: FrozenSet[str] = frozenset()
    allowed_hosts: FrozenSet[str] = frozenset()
    configurable: Optional[FrozenSet[str]] = None
    max_body: int = 4 * 1024 * 1024
    max_recursion: int = 1000
    max_runs: int = 1000
    max_queued: int = 100
    max_streams: int = 1000
    body_timeout: float = 30.0
    stall_timeout: float = 60.0
    max_events: int = 10_000
    max_ahead: Optional[int] = None
    heartbeat: float = 5.0
    errors: Errors = "message"
    run_timeout: Optional[float] = None
    keep: float = 600.0
    drain: float = 10.0
    live: Optional[bool] = None
