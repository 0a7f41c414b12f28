"""What holds for all environments: no thread is left, and nobody complains."""

from support.leaks import light_collections, no_complaint, no_thread_left
from support.openai_events import openai_events_known

__all__ = ["light_collections", "no_complaint", "no_thread_left", "openai_events_known"]
