"""Whole runs in other processes, on DBOS: queued, started once, taken over when a worker dies.

::

    runs = QueuedRuns({"agent": "my_agent:graph"}, database, RedisEvents(redis), checkpointer=database)

    run = runs.enqueue("agent", {"topic": "ice"}, key="order 1")    # in any process
    for chunk in run.stream("messages"):
        ...

    runs.run_worker()                                               # in as many others as needed

It needs the extra `dbos`: PostgreSQL, and Redis or Valkey.
"""

from __future__ import annotations

from streamgraph_integrations.dbos_runs._errors import (
    QueuedRunError,
    UnknownQueuedRunError,
    UnstorableOrderError,
    WorkerStoppedError,
)
from streamgraph_integrations.dbos_runs._handle import NewAttempt, QueuedRun
from streamgraph_integrations.dbos_runs._info import RunInfo
from streamgraph_integrations.dbos_runs._queues import RunQueue
from streamgraph_integrations.dbos_runs._runs import QueuedRuns
from streamgraph_integrations.dbos_runs._worker import Worker

__all__ = [
    "NewAttempt",
    "QueuedRun",
    "QueuedRunError",
    "QueuedRuns",
    "RunInfo",
    "RunQueue",
    "UnknownQueuedRunError",
    "UnstorableOrderError",
    "Worker",
    "WorkerStoppedError",
]
