"""What every test of runs and their tasks checks when it is over."""

from __future__ import annotations

from support.leaks import light_collections, no_thread_left

__all__ = ["light_collections", "no_thread_left"]
