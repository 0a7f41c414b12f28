"""What every test of flow control checks when it is over."""

from __future__ import annotations

from support.clocks import clock
from support.leaks import light_collections, no_complaint, no_thread_left

__all__ = ["clock", "light_collections", "no_complaint", "no_thread_left"]
