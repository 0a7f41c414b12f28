"""Each test starts and stops work."""

from __future__ import annotations

from support.clocks import clock
from support.leaks import light_collections, nothing_left

__all__ = ["clock", "light_collections", "nothing_left"]
