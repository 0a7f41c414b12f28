"""The clock of one attempt of a node: how long it has been running, and how long it has been silent."""

from __future__ import annotations

from typing import Callable, Optional

from typing_extensions import Literal

from streamgraph._core._stop import Stop
from streamgraph._policies import TimeoutPolicy
from streamgraph.errors import NodeTimeoutError


class Watch:
    """Measures one attempt against its limits.

    Args:
        node: The node, for the error.
        step: The superstep, likewise.
        policy: The limits.
        clock: Returns a monotonic time in seconds.
        stop: Tells the attempt, and nothing beside it, to stop.
    """

    __slots__ = ("_active", "_began", "_clock", "_idle", "_limit", "_node", "_step", "heartbeat_only", "stop")

    def __init__(self, node: str, step: int, policy: TimeoutPolicy, clock: Callable[[], float], stop: Stop) -> None:
        self.stop = stop
        self._node = node
        self._step = step
        self._clock = clock
        self._limit: Optional[float] = policy.run_timeout  # type: ignore[assignment]
        self._idle: Optional[float] = policy.idle_timeout  # type: ignore[assignment]
        self._began = self._active = clock()
        self.heartbeat_only = policy.refresh_on == "heartbeat"

    @property
    def listens(self) -> bool:
        """Whether signs of life matter that the node does not give on purpose."""
        return self._idle is not None and not self.heartbeat_only

    def touch(self) -> None:
        """Take note of a sign of life; from any thread."""
        self._active = self._clock()

    def remaining(self) -> float:
        """Return the seconds until a limit is reached if nothing happens; not positive once it is."""
        now = self._clock()
        left = [self._began + self._limit - now] if self._limit is not None else []
        if self._idle is not None:
            left.append(self._active + self._idle - now)
        return min(left)

    def error(self) -> Optional[NodeTimeoutError]:
        """Return the error of the limit that was reached, or `None` if there is time left."""
        now = self._clock()
        elapsed = now - self._began
        if self._limit is not None and elapsed >= self._limit:
            return self._error("run", elapsed)
        if self._idle is not None and now - self._active >= self._idle:
            return self._error("idle", elapsed)
        return None

    def _error(self, kind: Literal["run", "idle"], elapsed: float) -> NodeTimeoutError:
        return NodeTimeoutError(
            self._node, elapsed, kind=kind, run_timeout=self._limit, idle_timeout=self._idle, step=self._step
        )
