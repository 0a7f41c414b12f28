"""Measures one attempt of a node against its time limits."""

from __future__ import annotations

from typing import Callable, Optional

from typing_extensions import Literal

from streamgraph._policies import TimeoutPolicy
from streamgraph._streams.cancellation import CancelToken
from streamgraph.errors import NodeTimeoutError

_SHORTEST = 0.05
"""Seconds between two looks at a time that stands still just before a limit."""


class Watchdog:
    """The time limits of one attempt, and the times that count towards them.

    Args:
        node: The node, for the error.
        step: The superstep, likewise.
        policy: The limits.
        clock: Returns a monotonic time in seconds.
        stop: Cancel token of this attempt alone.

    Attributes:
        expired: A limit was exceeded; in a thread the attempt goes on until it checks its token.
    """

    __slots__ = (
        "_active",
        "_began",
        "_clock",
        "_first",
        "_idle",
        "_limit",
        "_node",
        "_paused_at",
        "_pauses",
        "_policy",
        "_step",
        "expired",
        "stop",
    )

    def __init__(
        self, node: str, step: int, policy: TimeoutPolicy, clock: Callable[[], float], stop: CancelToken
    ) -> None:
        self.stop = stop
        self.expired = False
        self._node = node
        self._step = step
        self._clock = clock
        self._limit: Optional[float] = policy.run_timeout  # type: ignore[assignment]
        self._idle: Optional[float] = policy.idle_timeout  # type: ignore[assignment]
        # The limit for the first token; `None` once there is one.
        self._first: Optional[float] = policy.first_token_timeout  # type: ignore[assignment]
        self._policy = policy
        self._began = self._active = clock()
        # The open questions of the attempt, and when the first of them was asked: meanwhile the time stands still.
        self._pauses = 0
        self._paused_at = 0.0

    def expire(self) -> None:
        """Cancel the attempt because a limit was exceeded."""
        self.expired = True
        self.stop.set()

    @property
    def counts_activity(self) -> bool:
        """True if activity other than `Runtime.heartbeat()` counts towards a limit."""
        policy = self._policy
        return policy.first_token_timeout is not None or (self._idle is not None and policy.refresh_on == "auto")

    def heartbeat(self) -> None:
        """Record a call of `Runtime.heartbeat()`; thread-safe."""
        self._active = self._clock()

    def activity(self, is_token: bool) -> None:
        """Record any other activity; thread-safe.

        Args:
            is_token: It is a token or message.
        """
        if is_token:
            self._first = None
        if self._policy.refresh_on == "auto":
            self._active = self._clock()

    def pause(self) -> None:
        """Let the time stand still: a question has been asked. One caller at a time."""
        if not self._pauses:
            self._paused_at = self._clock()
        self._pauses += 1

    def go_on(self) -> None:
        """Undo `pause`; once nothing is asked any more, the time goes on. One caller at a time."""
        self._pauses -= 1
        if not self._pauses:
            thought = self._clock() - self._paused_at
            self._began += thought
            # Activity beside the question may have been later than its beginning.
            self._active = min(self._active + thought, self._clock())

    def remaining(self) -> Optional[float]:
        """Return the seconds until a limit is exceeded without further activity, or `None` if no limit is left.

        While the time stands still, these are the seconds that will be left: who waits for them looks again before any
        limit can be exceeded.
        """
        due = [self._began + limit for limit in (self._limit, self._first) if limit is not None]
        if self._idle is not None:
            due.append(self._active + self._idle)
        if self._pauses and due:
            return max(min(due) - self._paused_at, _SHORTEST)
        return max(min(due) - self._clock(), 0) if due else None

    def error(self) -> Optional[NodeTimeoutError]:
        """Return the error of the limit that was exceeded, or `None`."""
        if self._pauses:
            return None
        now = self._clock()
        elapsed = now - self._began
        if self._limit is not None and elapsed >= self._limit:
            return self._error("run", elapsed)
        first = self._first  # a token in another thread may reset it
        if first is not None and elapsed >= first:
            return self._error("first_token", elapsed)
        if self._idle is not None and now - self._active >= self._idle:
            return self._error("idle", elapsed)
        return None

    def _error(self, kind: Literal["run", "idle", "first_token"], elapsed: float) -> NodeTimeoutError:
        return NodeTimeoutError(
            self._node,
            elapsed,
            kind=kind,
            run_timeout=self._limit,
            idle_timeout=self._idle,
            first_token_timeout=self._policy.first_token_timeout,  # type: ignore[arg-type]
            step=self._step,
        )
