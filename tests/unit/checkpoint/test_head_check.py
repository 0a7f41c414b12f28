"""The head of a thread is looked at when another run may have been on it, and not for each step."""

from __future__ import annotations

from typing import List

import pytest

from streamgraph._checkpoint import head_check
from streamgraph._checkpoint.head_check import HeadCheck


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """A clock that stands still: its only item is what it shows."""
    now = [100.0]
    monkeypatch.setattr(head_check, "monotonic", lambda: now[0])
    return now


def test_it_looks_after_the_first_nodes_and_before_the_last_record(clock: List[float]) -> None:
    check = HeadCheck(0.001)
    records = ((False, False), (True, False), (True, False), (True, True))
    due = [check.is_due(after_nodes=after, last=last) for after, last in records]
    assert due == [False, True, False, True]


def test_what_is_stored_does_not_count(clock: List[float]) -> None:
    """Otherwise every step would be read back where storing takes longer than reading."""
    check = HeadCheck(0.001)
    check.is_due(after_nodes=True, last=False)
    for _ in range(100):
        began = clock[0]
        clock[0] += 0.5
        check.stored(began)
        assert not check.is_due(after_nodes=True, last=False)
    clock[0] += 0.5
    assert check.is_due(after_nodes=True, last=False)


def test_what_takes_long_to_read_is_read_seldom(clock: List[float]) -> None:
    check = HeadCheck(0.001)
    check.is_due(after_nodes=True, last=False)
    clock[0] += 0.25
    check.looked()
    clock[0] += 0.9
    assert not check.is_due(after_nodes=True, last=False)
    clock[0] += 1.1
    assert check.is_due(after_nodes=True, last=False)
