"""Events that a command line names."""

from __future__ import annotations

import sys

import pytest

from streamgraph.errors import MissingPackageError, UnknownOptionError
from streamgraph.named import events_named


def test_events_on_redis() -> None:
    """Nothing is connected yet."""
    assert type(events_named("redis://127.0.0.1:1")).__name__ == "RedisEvents"


@pytest.mark.parametrize("given", ["memory", "postgres://h", "redis", "redis://h:port"])
def test_what_is_no_place_for_events(given: str) -> None:
    with pytest.raises(UnknownOptionError, match="no events at"):
        events_named(given)


def test_the_package_is_named_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "streamgraph_integrations.redis_events", None)
    with pytest.raises(MissingPackageError, match=r"streamgraph\[redis\]"):
        events_named("redis://127.0.0.1")
