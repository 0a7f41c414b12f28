"""Errors about runs whose events several processes share."""

from __future__ import annotations

from typing import Tuple

from streamgraph.errors import GraphError


class UnknownRunError(GraphError, LookupError):
    """Nothing is known of a run: there was no such run, or what it left has expired."""


class RunLostError(GraphError):
    """The process that drove a run has ended without a word, or cannot reach any more where its events are kept.

    Args:
        run_id: The run.
        attempt: The attempt that was read.
        newest: The newest attempt, which may be a later one.
    """

    def __init__(self, run_id: str, attempt: int, newest: int) -> None:
        if newest > attempt:
            what, hint = f"was taken over by attempt {newest}", "Attach to the run again to read that one."
        else:
            what = "was lost: its process has ended without a word, or cannot reach its events any more"
            hint = "If the run is saved, start it again on its thread: it goes on from its last record."
        super().__init__(f"Attempt {attempt} of the run {run_id} {what}", hint=hint)
        self.run_id = run_id
        self.attempt = attempt
        self.newest = newest

    def __reduce__(self) -> Tuple[object, ...]:
        return (type(self), (self.run_id, self.attempt, self.newest))


class RunSupersededError(GraphError):
    """A later attempt of a run has begun, so this one may not go on.

    Args:
        run_id: The run.
        attempt: The attempt that ends with this error.
        newest: The attempt that has begun.
    """

    def __init__(self, run_id: str, attempt: int, newest: int) -> None:
        super().__init__(
            f"Attempt {attempt} of the run {run_id} ends, because attempt {newest} has begun",
            hint="Another process has taken the run over; what this one did after that is not in its events.",
        )
        self.run_id = run_id
        self.attempt = attempt
        self.newest = newest

    def __reduce__(self) -> Tuple[object, ...]:
        return (type(self), (self.run_id, self.attempt, self.newest))


class EventsUnavailableError(GraphError):
    """What keeps the events of runs could not be reached, or refused to store them, for longer than it may."""


class RequestTimeoutError(GraphError, TimeoutError):
    """The process that drives a run has not answered a request in time."""
