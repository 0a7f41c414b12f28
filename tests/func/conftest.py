"""What every test of the functional API checks when it is over."""

from __future__ import annotations

import gc
from typing import Iterator

import pytest

from drivers.helpers import eventually, threads


@pytest.fixture(scope="session", autouse=True)
def _light_collections() -> Iterator[None]:
    """Take what has been imported out of the collector's way, for these tests collect often."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After each test no thread of a run is left, and nobody has complained in the log."""
    before = threads()
    yield
    gc.collect()
    eventually(lambda: threads() <= before)
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelname != "DEBUG"] == []
