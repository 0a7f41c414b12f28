"""Ends of a run that are not failures: drain requests from outside, and control signals from nodes."""

from __future__ import annotations

from typing import Optional, Tuple

from streamgraph.errors import GraphBubbleUp, ParentCommand


class RunControl:
    """Lets code outside a run, such as a server that shuts down, ask it to end after the current step.

    Give it to `stream` or `invoke` as `control=`; nodes find it in `Runtime.control`. It is thread-safe.
    """

    def __init__(self) -> None:
        self._reason: Optional[str] = None

    def __repr__(self) -> str:
        return f"RunControl({'running' if self._reason is None else f'drain requested: {self._reason}'})"

    @property
    def drain_requested(self) -> bool:
        """True if the run was asked to end."""
        return self._reason is not None

    @property
    def drain_reason(self) -> Optional[str]:
        """The reason of the request; `None` if there was none."""
        return self._reason

    def request_drain(self, reason: str = "shutdown") -> None:
        """Ask the run to end after the current step; it raises GraphDrained instead of starting another one.

        Args:
            reason: The reason; later requests do not change it.
        """
        if self._reason is None:
            self._reason = reason


def is_signal(error: BaseException, ns: Tuple[str, ...]) -> bool:
    """Return True if an exception is a control signal, not a failure of the task that raises it.

    Args:
        error: The exception.
        ns: The namespace of the task's graph. A root graph has no parent that could take a command.
    """
    return isinstance(error, GraphBubbleUp) and not (isinstance(error, ParentCommand) and not ns)
