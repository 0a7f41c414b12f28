"""The consumer's thread gets its turns, and not more of them than it needs."""

from __future__ import annotations

import asyncio
import sys
from typing import List

import pytest

from streamgraph._drivers import handover
from streamgraph._drivers.handover import ReaderTurns


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """When somebody slept, on a clock that each look moves on by a millisecond."""
    at: List[float] = []
    now = [100.0]

    def look() -> float:
        now[0] += 0.001
        return now[0]

    monkeypatch.setattr(handover, "monotonic", look)
    monkeypatch.setattr(handover, "sleep", lambda seconds: at.append(round(now[0], 3)))
    return at


def test_turns(slept: List[float]) -> None:
    """The first one at once, the next when the interpreter would have changed threads by itself."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0045)
    try:
        turns = ReaderTurns()
        for _ in range(12):
            turns.give()
        assert slept == [100.001, 100.006, 100.011]
        ReaderTurns().give()
        assert len(slept) == 4
    finally:
        sys.setswitchinterval(before)


def test_no_turns_on_a_loop(slept: List[float]) -> None:
    """A loop is never blocked, and its consumer needs no turn."""

    async def give() -> None:
        ReaderTurns().give()

    asyncio.run(give())
    assert slept == []
