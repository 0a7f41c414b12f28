"""Runnables made of functions."""

from __future__ import annotations

from streamgraph.utils.runnable import RunnableCallable, RunnableLike

__all__ = [
    "RunnableCallable",  # langchain, langgraph-supervisor
    "RunnableLike",  # langgraph-supervisor
]
