"""What ends a run without a failure: requests from outside, and signals from inside."""

from __future__ import annotations

from typing import Optional, Tuple

from streamgraph.errors import GraphBubbleUp, ParentCommand


class RunControl:
    """Lets somebody outside a run, such as a server that shuts down, ask it to end after the current step.

    Give it to `stream` or `invoke` as `control=`; nodes find it in `Runtime.control`. Any thread may use it.
    """

    def __init__(self) -> None:
        self._reason: Optional[str] = None

    def __repr__(self) -> str:
        return f"RunControl({'running' if self._reason is None else f'drain requested: {self._reason}'})"

    @property
    def drain_requested(self) -> bool:
        """Whether the run has been asked to end."""
        return self._reason is not None

    @property
    def drain_reason(self) -> Optional[str]:
        """Why the run has been asked to end, or `None` if it has not."""
        return self._reason

    def request_drain(self, reason: str = "shutdown") -> None:
        """Ask the run to end when the current step is over; if another would follow, it raises GraphDrained.

        Args:
            reason: Why.
        """
        if self._reason is None:
            self._reason = reason


def is_signal(error: BaseException, ns: Tuple[str, ...]) -> bool:
    """Whether an exception is a control signal, and no failure of the task that raises it.

    Args:
        error: The exception.
        ns: The namespace of the task's graph. A root graph has no parent that could take a command.
    """
    return isinstance(error, GraphBubbleUp) and not (isinstance(error, ParentCommand) and not ns)
