"""Counting of calls."""

from __future__ import annotations

import sys
from typing import Any, Callable

import pytest


@pytest.fixture
def count_calls() -> Callable[[Callable[[], Any]], int]:
    """Return a function that counts the calls of Python functions during a call."""

    def count(act: Callable[[], Any]) -> int:
        calls = 0

        def seen(frame: Any, event: str, arg: Any) -> None:
            nonlocal calls
            calls += event == "call"

        before = sys.getprofile()
        sys.setprofile(seen)
        try:
            act()
        finally:
            sys.setprofile(before)
        return calls - 1

    return count
