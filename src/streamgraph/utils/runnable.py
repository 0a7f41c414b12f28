"""A Runnable made of a sync and an async function, and what can stand for a Runnable in annotations."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Union

from langchain_core.runnables import Runnable

from streamgraph._langchain.callables import RunnableCallable

__all__ = ["RunnableCallable", "RunnableLike"]

RunnableLike = Union[Runnable[Any, Any], Callable[..., Any], Mapping[str, Any]]
"""What a graph takes as a node or branch: a Runnable, a function of any kind, or a dict of these.

A function's parameters `config`, `writer`, `runtime` and `store` are filled in by name.
"""
