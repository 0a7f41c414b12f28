"""Retries of a node."""

from __future__ import annotations

import logging
import random
import time
from typing import Callable, TypeVar

from streamgraph._core.task import Task
from streamgraph._langchain.scope import Scope
from streamgraph._policies import RetryPolicy
from streamgraph._protocols import Sleep, Work
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.copying import own_input
from streamgraph.errors import GraphBubbleUp, is_invalid_resume

T = TypeVar("T")

_log = logging.getLogger("streamgraph.retry")
_MODE = "retries"

Attempt = Callable[[CancelToken, int, float], Work[T]]
"""One attempt, given its cancel token, its number counted from 1, and the time at which the first one started."""


def attempts(task: Task, stop: CancelToken, once: Attempt[T], scope_of: Callable[..., Scope]) -> Work[T]:
    """Make attempts until one succeeds or the node's retry policies give up.

    Each attempt gets an unchanged copy of the input and a cancel token of its own: code that a failed one has left
    behind in a thread can no longer emit parts.

    Args:
        task: The task.
        stop: Cancel token of the task.
        once: Makes an attempt.
        scope_of: Returns the task as it emits parts, given the task, a cancel token and the task around it.

    Raises:
        Exception: The exception of the last attempt.
    """
    given, retry = task.input, task.node.policies.retry
    began, number = time.time(), 0
    while True:
        number += 1
        attempt = CancelToken(stop)
        if retry or task.node.handler is not None:
            task.input = own_input(given)
        try:
            return (yield from once(attempt, number, began))
        except GraphBubbleUp:
            raise
        except Exception as error:
            attempt.set()
            answerable = is_invalid_resume(error)  # an answer that does not fit never will
            policy = None if answerable else next((policy for policy in retry if policy.applies_to(error)), None)
            if policy is None or number >= policy.max_attempts or stop.is_set:
                task.input = given  # for the error handler
                raise
            pause = _pause(policy, number)
            _log.info(
                "Node %r is tried again in %.2f s, after attempt %d: %r",
                task.name,
                pause,
                number,
                error,
                exc_info=error,
            )
            scope = scope_of(task, stop, None)
            if _MODE in scope.wanted:
                told = {"id": task.id, "name": task.name, "attempt": number, "error": error, "pause": pause}
                scope.emit(_MODE, told)
        yield Sleep(pause, stop)


def _pause(policy: RetryPolicy, number: int) -> float:
    return policy.pause(number) + (random.uniform(0, 1) if policy.jitter else 0.0)
