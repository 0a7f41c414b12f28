"""Timestamps for the `debug` mode."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache
from time import time_ns


def timestamp() -> str:
    """Return the current time in UTC as ISO 8601 text with microseconds.

    It takes a quarter of the time of `datetime.isoformat`; a `debug` stream calls it for each event.
    """
    second, nanoseconds = divmod(time_ns(), 10**9)
    return f"{_to_the_second(second)}.{nanoseconds // 1000:06d}+00:00"


@lru_cache(maxsize=2)
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
