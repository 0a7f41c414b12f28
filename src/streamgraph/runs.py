"""Runs that were started on their own: their handles, their readers, and the logs that keep what they stream.

`graph.start` and `graph.astart` return a `RunHandle`.
"""

from __future__ import annotations

from streamgraph._drivers.memory_log import MemoryLog
from streamgraph._drivers.readers import AsyncRunReader, RunReader
from streamgraph._drivers.started import OnDisconnect
from streamgraph._runnable.run_handle import RunHandle
from streamgraph._runnable.run_orders import Dispatcher, RunOrder, read_order
from streamgraph._runnable.run_sharing import RunRecord, SharedEvents
from streamgraph._streams.event_log import Codec, EventLog, Events, ReadableLog, RunEnd, RunFacts, RunStatus, SharedLog
from streamgraph._streams.log_errors import (
    EventsUnavailableError,
    RequestTimeoutError,
    RunLostError,
    RunSupersededError,
    UnknownRunError,
)
from streamgraph._streams.part import Part

__all__ = [
    "AsyncRunReader",
    "Codec",
    "Dispatcher",
    "EventLog",
    "Events",
    "EventsUnavailableError",
    "MemoryLog",
    "OnDisconnect",
    "Part",
    "ReadableLog",
    "RequestTimeoutError",
    "RunEnd",
    "RunFacts",
    "RunHandle",
    "RunLostError",
    "RunOrder",
    "RunReader",
    "RunRecord",
    "RunStatus",
    "RunSupersededError",
    "SharedEvents",
    "SharedLog",
    "UnknownRunError",
    "read_order",
]
