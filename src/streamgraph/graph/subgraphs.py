"""Finding the graphs that run inside nodes."""

from __future__ import annotations

import inspect
from typing import Any, Iterator, Optional, Set

from langchain_core.runnables import Runnable, RunnableLambda

from streamgraph._langchain._nodes import parts_of
from streamgraph.graph.base import GraphBase


def graph_in(target: Any) -> Optional[GraphBase]:
    """Return the graph that a node is or, as far as its code shows, calls; `None` if there is none.

    Looked into are chains, and what functions refer to by name: variables around them, and of their module.

    Args:
        target: What the node was made of.
    """
    return next(_graphs(target, set()), None)


def _graphs(target: Any, seen: Set[int]) -> Iterator[GraphBase]:
    if id(target) in seen:
        return
    seen.add(id(target))
    if isinstance(target, GraphBase):
        yield target
    elif isinstance(target, RunnableLambda):
        for function in (getattr(target, "func", None), getattr(target, "afunc", None)):
            yield from _graphs(function, seen)
    elif isinstance(target, Runnable):
        for part in parts_of(target):
            yield from _graphs(part, seen)
    elif isinstance(target, (list, tuple)):
        for part in target:
            yield from _graphs(part, seen)
    elif callable(target):
        function = inspect.unwrap(target)
        if inspect.isfunction(function) or inspect.ismethod(function):
            yield from _named(function, seen)


def _named(function: Any, seen: Set[int]) -> Iterator[GraphBase]:
    """Yield the graphs that a function's code names."""
    try:
        named = inspect.getclosurevars(function)
    except (TypeError, ValueError):
        return  # a variable around it has no value yet
    for value in (*named.nonlocals.values(), *named.globals.values()):
        if isinstance(value, Runnable):
            yield from _graphs(value, seen)
