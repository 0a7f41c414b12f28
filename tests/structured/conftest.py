"""Fixtures for structured output, raw clients and the rest, which start and stop work all the time."""

from __future__ import annotations

import gc
import itertools
from typing import Iterator

import pytest

from drivers.helpers import eventually, threads


@pytest.fixture(autouse=True)
def nothing_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After each test no thread of a run is left, and nobody has complained in the log."""
    before = threads()
    yield
    looks = itertools.count(1)
    # Threads take a moment to end; collecting takes longer, and is only needed if something is kept by a cycle.
    eventually(lambda: threads() <= before or (next(looks) % 50 == 0 and gc.collect() < 0))
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelname != "DEBUG"] == []
