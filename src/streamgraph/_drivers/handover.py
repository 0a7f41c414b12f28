"""Hand-over of parts to a consumer in another thread: yielding the GIL, and avoiding deadlocks."""

from __future__ import annotations

from contextvars import ContextVar
from time import sleep

from streamgraph._propagation import on_loop

_YIELD_SECONDS = 1e-6
"""In seconds; with 0 the producer would often get the GIL back before the consumer has woken up."""


def yield_to_reader() -> None:
    """Yield the GIL so that a consumer thread can take a new item from its inbox.

    A thread that does not block keeps the GIL for 5 ms (`sys.setswitchinterval`), and a provider often sends many
    tokens at once.
    """
    if not on_loop():
        sleep(_YIELD_SECONDS)


never_block: ContextVar[bool] = ContextVar("streamgraph_never_block", default=False)
"""True if code must not wait for a slow consumer, because the consumer's thread or event loop waits for this code."""
