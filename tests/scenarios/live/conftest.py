"""Each test starts and stops work."""

from __future__ import annotations

from support.leaks import light_collections, nothing_left

__all__ = ["light_collections", "nothing_left"]
