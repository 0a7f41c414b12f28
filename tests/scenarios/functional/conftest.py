"""What every test of the functional API checks when it is over."""

from support.leaks import light_collections, no_complaint, no_thread_left

__all__ = ["light_collections", "no_complaint", "no_thread_left"]
