"""What every test of structured output checks when it is over."""

from __future__ import annotations

from support.leaks import nothing_left
from support.openai_events import openai_events_known

__all__ = ["openai_events_known", "nothing_left"]
