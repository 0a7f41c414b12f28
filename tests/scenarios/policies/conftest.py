"""What every test of the policies checks when it is over."""

from __future__ import annotations

from support.clocks import clock
from support.leaks import light_collections, no_thread_left
from support.policies import stuck

__all__ = ["clock", "light_collections", "no_thread_left", "stuck"]
