"""What every test of the policies checks when it is over."""

from __future__ import annotations

from typing import Iterator

import pytest

from leaks import light_collections, no_thread_left
from policies.helpers import Stuck

__all__ = ["light_collections", "no_thread_left", "stuck"]


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    """Released in the end."""
    nodes = Stuck()
    yield nodes
    nodes.release()
