"""Runs that are ended from outside: cancelled, or given up because they end their workers."""

from __future__ import annotations

from typing import Optional, Sequence, cast

from streamgraph.errors import GraphError
from streamgraph.runs import RunEnd, RunFacts
from streamgraph_integrations.dbos_runs._dbos import Database, Row
from streamgraph_integrations.dbos_runs._errors import UnknownQueuedRunError
from streamgraph_integrations.redis_events import RedisEvents, UnknownRunError


class Ending:
    """Ends runs, and tells their readers.

    Args:
        database: Where the runs are.
        events: Where their readers are.
    """

    def __init__(self, database: Database, events: RedisEvents) -> None:
        self._database = database
        self._events = events

    def cancel(self, run_id: str) -> None:
        """Take a run out of its queue, or ask it to end; see `QueuedRun.cancel`.

        Args:
            run_id: The run.

        Raises:
            UnknownQueuedRunError: There is no such run.
        """
        row = self._database.find(run_id)
        if row is None:
            raise UnknownQueuedRunError(f"There is no queued run {run_id}", hint="Was it enqueued in this database?")
        if not row.active:
            return
        # First for a worker that is about to begin it, or takes it over.
        self._database.note(run_id, {"cancelled": True})
        if row.status != "PENDING":
            self._database.cancel(run_id)
            self._close(row)
            return
        try:
            shared = self._events.log(run_id)
        except UnknownRunError:
            return
        shared.signal("cancel")

    def close_dead_letters(self) -> None:
        """Tell the readers of runs that end their worker whenever they are started that no worker starts them again."""
        for row in self._database.dead_letters():
            error = GraphError(  # of a class that all readers know
                f"The run {row.id} has ended its worker again and again, and is not started again",
                hint="Does a node need too much memory, or end the process?",
            )
            self._close(row, error)
            self._database.note(row.id, {"given_up": str(error)})
            self._database.cancel(row.id)

    def _close(self, row: Row, error: Optional[BaseException] = None) -> None:
        """Close a new attempt of a run that no worker will begin: as failed, or as cancelled if there is no error."""
        log = self._events.open(row.id)
        modes = tuple(cast("Sequence[str]", row.attributes.get("record", ())))
        log.begin(RunFacts(row.id, (), modes, modes))
        log.close("cancelled" if error is None else "failed", RunEnd(error=error))
