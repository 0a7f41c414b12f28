"""A Runnable made of a sync and an async function."""

from streamgraph._langchain.callables import RunnableCallable

__all__ = ["RunnableCallable"]
