"""Fixtures for tests that start and stop work: what has to be as before when a test is over.

A folder's conftest imports those that hold for all of its tests.
"""

from __future__ import annotations

import gc
import itertools
from typing import Iterator

import pytest

from support.waiting import eventually, threads

__all__ = ["light_collections", "no_complaint", "no_thread_left", "nothing_left"]


@pytest.fixture(scope="session", autouse=True)
def light_collections() -> Iterator[None]:
    """Take what has been imported out of the collector's way, for these tests collect often."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """After each test no thread of a run is left."""
    before = threads()
    yield
    gc.collect()
    eventually(lambda: threads() <= before)


@pytest.fixture(autouse=True)
def no_complaint(no_thread_left: None, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After each test nobody has complained in the log, not even when what was left behind was collected."""
    yield
    gc.collect()
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelname != "DEBUG"] == []


@pytest.fixture(autouse=True)
def nothing_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After each test no thread of a run is left, and nobody has complained in the log."""
    before = threads()
    yield
    looks = itertools.count(1)
    # Threads take a moment to end; collecting takes longer, and is only needed if something is kept by a cycle.
    eventually(lambda: threads() <= before or (next(looks) % 50 == 0 and gc.collect() < 0))
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelname != "DEBUG"] == []
