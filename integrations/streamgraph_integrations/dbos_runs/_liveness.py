"""Which workers are alive: each renews a row, and takes over the runs of those that do not.

A worker whose row is older than its lease is dead for all others. It knows that itself, by its own clock, before they
do, and gives up its runs; and whatever it still streams or stores is refused, by the number of the attempt on Redis and
by the head of the thread in the saver.
"""

from __future__ import annotations

import logging
import threading
from time import monotonic
from typing import Callable, Optional, Set

from psycopg import Connection, connect

_log = logging.getLogger("streamgraph")

_TABLE = """
CREATE TABLE IF NOT EXISTS streamgraph_workers (
    id text PRIMARY KEY, lease double precision NOT NULL, seen timestamptz NOT NULL
)
"""
_LOCK = "SELECT pg_advisory_xact_lock(7310026861)"  # tables that are made twice at once are an error
_BEAT = """
INSERT INTO streamgraph_workers VALUES (%s, %s, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET seen = clock_timestamp(), lease = excluded.lease
"""
_LIVING = "SELECT id FROM streamgraph_workers WHERE seen > clock_timestamp() - make_interval(secs => lease)"
_LEAVE = "DELETE FROM streamgraph_workers WHERE id = %s"
_FORGET = "DELETE FROM streamgraph_workers WHERE seen < clock_timestamp() - interval '1 day'"


class Liveness:
    """The signs of life of one worker, from a thread of its own: a loop that is busy keeps none from coming.

    Args:
        url: The address of the database.
        id: The id of the worker.
        lease: Seconds for which a sign of life lasts.
        pending: Returns the ids of the workers that have runs.
        recover: Puts the runs of a worker back in their queues.
        after: Is called after each sign of life.
    """

    def __init__(
        self,
        url: str,
        id: str,  # noqa: A002  (what it is)
        lease: float,
        pending: Callable[[], Set[str]],
        recover: Callable[[Set[str]], None],
        after: Callable[[], None],
    ) -> None:
        self._url = url
        self._id = id
        self._lease = lease
        self._pending = pending
        self._recover = recover
        self._after = after
        self._connection: Optional[Connection[tuple[object, ...]]] = None
        self._until = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, name="streamgraph-worker-liveness", daemon=True)

    @property
    def lapsed(self) -> bool:
        """Whether others may take this worker for dead."""
        return monotonic() > self._until

    def enter(self) -> None:
        """Give the first sign of life, before the worker takes its first run."""
        with connect(self._url, autocommit=True) as connection, connection.transaction():
            connection.execute(_LOCK)
            connection.execute(_TABLE)
        self._beat()

    def start(self) -> None:
        """Go on giving signs of life, and look for dead workers."""
        self._thread.start()

    def leave(self) -> None:
        """Say that the worker has ended, so that others need not wait."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(self._lease)
        try:
            self._connected().execute(_LEAVE, (self._id,))
        except Exception as error:
            _log.warning("A worker could not say that it has ended: %s", error)
        self._disconnect()

    def _main(self) -> None:
        while not self._stop.wait(self._lease / 4):
            try:
                self._beat()
                self._after()
                self._supervise()
            except Exception as error:  # the database cannot be reached: the next time it may be
                _log.warning("A worker could not give a sign of life: %s: %s", type(error).__name__, error)
                self._disconnect()

    def _beat(self) -> None:
        at = monotonic()
        self._connected().execute(_BEAT, (self._id, self._lease))
        self._until = at + self._lease

    def _supervise(self) -> None:
        # Those that have runs are asked for first: a worker is alive before it takes its first one.
        having = self._pending()
        connection = self._connected()
        dead = having - {str(row[0]) for row in connection.execute(_LIVING)}
        if dead:
            _log.warning("The runs of %d workers that have ended are taken over", len(dead))
            self._recover(dead)
        connection.execute(_FORGET)

    def _connected(self) -> Connection[tuple[object, ...]]:
        if self._connection is None:
            timeout = max(2, int(self._lease))
            self._connection = connect(
                self._url, autocommit=True, connect_timeout=timeout, tcp_user_timeout=timeout * 1000
            )
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
