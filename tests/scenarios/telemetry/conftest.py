"""Providers for each test, and what it checks when it is over."""

from __future__ import annotations

from typing import Iterator

import pytest

from support.leaks import light_collections, no_complaint, no_thread_left
from support.telemetry import Reported, reported

__all__ = ["light_collections", "no_complaint", "no_thread_left"]


@pytest.fixture
def otel() -> Iterator[Reported]:
    """What is reported to OpenTelemetry in the test."""
    with reported() as made:
        yield made
