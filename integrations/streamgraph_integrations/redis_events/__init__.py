"""The events of runs on Redis Streams: any process reads any run, tells it something, and outlives it.

::

    events = RedisEvents("redis://127.0.0.1:6379")
    run = graph.start({"topic": "ice"}, log=events.open())       # in one process

    run = graph.attach(events.log(run_id))                       # in any other
    for token, metadata in run.stream("messages"):
        print(token.content, end="")

It needs the extra `redis`, and Redis 5 or newer, or Valkey.
"""

from __future__ import annotations

from streamgraph.runs import (
    EventsUnavailableError,
    RequestTimeoutError,
    RunLostError,
    RunSupersededError,
    UnknownRunError,
)
from streamgraph_integrations.redis_events._events import RedisEvents
from streamgraph_integrations.redis_events._reading import RedisSharedLog
from streamgraph_integrations.redis_events._writing import RedisLog

__all__ = [
    "EventsUnavailableError",
    "RedisEvents",
    "RedisLog",
    "RedisSharedLog",
    "RequestTimeoutError",
    "RunLostError",
    "RunSupersededError",
    "UnknownRunError",
]
