"""What holds for all environments: no thread is left, and nobody complains."""

from support.leaks import light_collections, no_complaint, no_thread_left

__all__ = ["light_collections", "no_complaint", "no_thread_left"]
