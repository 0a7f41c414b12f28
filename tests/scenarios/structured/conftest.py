"""What every test of structured output checks when it is over."""

from __future__ import annotations

from support.leaks import nothing_left

__all__ = ["nothing_left"]
