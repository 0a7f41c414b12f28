"""What holds for every test of the integrations."""

from __future__ import annotations

from support.openai_events import openai_events_known

__all__ = ["openai_events_known"]
