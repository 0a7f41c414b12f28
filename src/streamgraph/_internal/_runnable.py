"""Runnables made of functions."""

from __future__ import annotations

from streamgraph.utils.runnable import RunnableLike

__all__ = [
    "RunnableLike",  # langgraph-supervisor
]
