"""What the queue knows of a run."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Mapping, NamedTuple, Optional, Sequence, cast

from typing_extensions import Literal

from streamgraph_integrations.dbos_runs._dbos import Row

Status = Literal["delayed", "queued", "running", "done", "interrupted", "failed", "cancelled"]
"""The state of a queued run; the last four are how it has ended."""

OF_STATUS: Mapping[str, Sequence[str]] = {
    "delayed": ("DELAYED",),
    "queued": ("ENQUEUED",),
    "running": ("PENDING",),
    "done": ("SUCCESS",),
    "interrupted": ("SUCCESS",),
    "cancelled": ("SUCCESS", "CANCELLED"),
    "failed": ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"),
}
"""The statuses of the workflows of runs in a state."""


class RunInfo(NamedTuple):
    """What the queue knows of a run.

    Attributes:
        id: The id of the run.
        graph: The name of its graph.
        status: Its state.
        queue: Its queue; empty if it was cancelled before it began.
        thread_id: The thread that it names; `None` if it names none.
        priority: Its priority.
        created: When it was enqueued.
        error: The error with which it has failed, as a text.
    """

    id: str
    graph: str
    status: Status
    queue: str
    thread_id: Optional[str]
    priority: int
    created: datetime
    error: Optional[str]


def info_of(row: Row) -> RunInfo:
    """Return what a row says of a run."""
    status: Status = "done"
    if row.result is not None:
        status = cast("Status", row.result)
    names: Sequence[Status] = ("delayed", "queued", "running", "failed")
    for name in names:
        if row.status in OF_STATUS[name]:
            status = name
    error = None if row.error is None else str(row.error)
    if row.status == "CANCELLED":
        given_up = row.attributes.get("given_up")
        status, error = ("cancelled", None) if given_up is None else ("failed", str(given_up))
    thread, created = row.attributes.get("thread_id"), datetime.fromtimestamp(row.created / 1000, timezone.utc)
    return RunInfo(
        row.id,
        str(row.attributes.get("graph", "")),
        status,
        row.queue,
        None if thread is None else str(thread),
        row.priority,
        created,
        error,
    )
