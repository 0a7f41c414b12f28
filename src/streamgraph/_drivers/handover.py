"""Handing parts over to a consumer in another thread: whom to let run, and whom not to block."""

from __future__ import annotations

from contextvars import ContextVar
from time import sleep

from streamgraph._propagation import on_loop

_YIELD_SECONDS = 1e-6
"""Seconds; with 0 the thread would often be back before the other one has woken up."""


def yield_to_reader() -> None:
    """Release the interpreter, so that a consumer thread can take what has just been put into its inbox.

    A thread that waits for nothing goes on for 5 ms before the interpreter lets another one run
    (`sys.setswitchinterval`), and what a provider sends at one go is many tokens.
    """
    if not on_loop():
        sleep(_YIELD_SECONDS)


never_block: ContextVar[bool] = ContextVar("streamgraph_never_block", default=False)
"""Whether code must not wait for a slow consumer, since the consumer's thread or event loop waits for it."""
