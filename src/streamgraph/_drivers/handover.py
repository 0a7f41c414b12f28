"""Hand-over of parts to a consumer in another thread: yielding the GIL, and avoiding deadlocks."""

from __future__ import annotations

from contextvars import ContextVar
from sys import getswitchinterval
from time import monotonic, sleep

from streamgraph._propagation import on_loop

_YIELD_SECONDS = 1e-6
"""In seconds; with 0 the producer would often get the GIL back before the consumer has woken up."""


class ReaderTurns:
    """Yields the GIL at the first tokens of a run's messages, so that the consumer's thread can take them.

    A thread that does not block keeps the GIL for 5 ms (`sys.setswitchinterval`), and a provider often sends many
    tokens at once. To yield takes a tenth of a millisecond, which is much for a chain of quick models. So it is done
    at the first token of a run, and then no more often than the interpreter lets the consumer run anyway.
    """

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = 0.0

    def give(self) -> None:
        """Let the consumer's thread run, unless it has just had a turn."""
        now = monotonic()
        if now >= self._next and not on_loop():
            self._next = now + getswitchinterval()
            sleep(_YIELD_SECONDS)


never_block: ContextVar[bool] = ContextVar("streamgraph_never_block", default=False)
"""True if code must not wait for a slow consumer, because the consumer's thread or event loop waits for this code."""
