"""What every test of the policies checks when it is over."""

from __future__ import annotations

import gc
from typing import Iterator

import pytest

from drivers.helpers import eventually, threads
from policies.helpers import Stuck


@pytest.fixture(scope="session", autouse=True)
def _light_collections() -> Iterator[None]:
    """Take what has been imported out of the collector's way, for these tests collect often."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After each test no thread of a run is left."""
    before = threads()
    yield
    gc.collect()
    eventually(lambda: threads() <= before)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    """Released in the end."""
    nodes = Stuck()
    yield nodes
    nodes.release()
