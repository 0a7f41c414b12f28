"""Errors about queued runs."""

from __future__ import annotations

from streamgraph.errors import GraphError


class UnstorableOrderError(GraphError, TypeError):
    """What is to run cannot be written down for another process, or could not be read there."""


class UnknownQueuedRunError(GraphError, LookupError):
    """There is no queued run of an id."""


class QueuedRunError(GraphError):
    """A queued run has failed. The error itself is in its events; this is what the queue keeps of it."""


class WorkerStoppedError(GraphError):
    """A worker gives up a run, which another one takes over."""
