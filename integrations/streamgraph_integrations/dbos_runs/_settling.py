"""A saver that stores nothing of a run before its readers can have what came before it.

Another worker goes on from what is stored, and does not stream again what led there. So that readers lose nothing when
a worker is killed, its events are on Redis first. And an attempt that may not stream any more stores nothing either.
"""

from __future__ import annotations

import asyncio
import copy
import time
from functools import cache, wraps
from typing import Any, Iterator

from streamgraph_integrations.dbos_runs._errors import WorkerStoppedError
from streamgraph_integrations.redis_events import RedisLog

_SYNC, _ASYNC = ("put", "put_writes"), ("aput", "aput_writes")

_PAUSES = (0.0005, 0.001, 0.002, 0.005)
"""Seconds between two looks whether the events are stored; the last one again and again."""


def settling(saver: Any, log: RedisLog) -> Any:
    """Return a saver that waits for the events of a log before it stores something.

    Args:
        saver: The saver; what is returned shares everything with it.
        log: The log.
    """
    made, kind = copy.copy(saver), saver.__class__
    made.__class__ = _settling_class(kind)
    made._settles_after = log
    return made


def _pauses(log: RedisLog) -> Iterator[float]:
    """Yield how long to wait until what was streamed so far is stored.

    Raises:
        WorkerStoppedError: It never will be.
    """
    last, step = log.last, 0
    while log.stored < last:
        _check(log)
        yield _PAUSES[min(step, len(_PAUSES) - 1)]
        step += 1
    _check(log)


def _check(log: RedisLog) -> None:
    if log.over:  # a run that stores something has not ended, so its log cannot be written any more
        raise WorkerStoppedError(f"This attempt of the run {log.run_id} cannot stream any more, so it stores nothing")


@cache
def _settling_class(cls: Any) -> Any:
    """Return the class of a saver with methods that wait; those that it does not have it still does not have."""
    methods = {name: _waiting(getattr(cls, name)) for name in _SYNC if _is_there(cls, name)}
    methods.update({name: _awaiting(getattr(cls, name)) for name in _ASYNC if _is_there(cls, name)})
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (cls,), {**methods, **names})


def _is_there(cls: Any, name: str) -> bool:
    """Return whether a saver has a method; those of the base class of all savers raise an error."""
    return bool(getattr(cls, name).__module__ != "langgraph.checkpoint.base")


def _waiting(method: Any) -> Any:
    @wraps(method)
    def waiting(self: Any, *args: Any, **options: Any) -> Any:
        for pause in _pauses(self._settles_after):
            time.sleep(pause)
        return method(self, *args, **options)

    return waiting


def _awaiting(method: Any) -> Any:
    @wraps(method)
    async def awaiting(self: Any, *args: Any, **options: Any) -> Any:
        for pause in _pauses(self._settles_after):
            await asyncio.sleep(pause)
        return await method(self, *args, **options)

    return awaiting
