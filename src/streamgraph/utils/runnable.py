"""What can stand for a Runnable: a type for annotations."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Union

from langchain_core.runnables import Runnable

__all__ = ["RunnableLike"]

RunnableLike = Union[Runnable[Any, Any], Callable[..., Any], Mapping[str, Any]]
"""What a graph takes as a node or branch: a Runnable, a function of any kind, or a dict of these.

A function's parameters `config`, `writer`, `runtime` and `store` are filled in by name.
"""
