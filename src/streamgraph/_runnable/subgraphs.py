"""Find the graphs and tasks that run inside nodes."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Set, Tuple, Union

from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import BaseTool

from streamgraph._compat.langchain_core import parts_of
from streamgraph._compat.langgraph import is_peer_graph, peer_nodes, with_peer
from streamgraph._core.plan import Node
from streamgraph._langchain.callables import RunnableCallable
from streamgraph._runnable.base import GraphBase

AnyGraph = Union[GraphBase, "Runnable[Any, Any]"]
"""A graph of this package, or of LangGraph."""


def graph_in(target: object) -> Optional[GraphBase]:
    """Return the graph that a node is or calls, as far as its code shows, or `None`.

    Chains are searched, and the variables of enclosing functions and of the module that a function refers to by name.

    Args:
        target: The node's function or Runnable.
    """
    return next((found for found in _inside(target, set()) if isinstance(found, GraphBase)), None)


class KnownNames(NamedTuple):
    """Names in a run that are known before it starts.

    Attributes:
        nodes: Names of nodes, their error handlers, and tasks.
        keys: Names of state keys.
    """

    nodes: Tuple[str, ...]
    keys: Tuple[str, ...]


def known_names(graph: GraphBase) -> KnownNames:
    """Return the names in a graph and in its nested graphs, as far as the code of its nodes shows."""
    nodes, keys, seen = {}, {}, {id(graph)}
    graphs: List[AnyGraph] = [graph]
    for found in graphs:
        if isinstance(found, GraphBase):
            keys.update(dict.fromkeys(found._plan.channels))
            for name, node in found._plan.nodes.items():
                nodes.update(dict.fromkeys((name, node.handler.name) if node.handler is not None else (name,)))
            targets = list(found._targets.values())
        else:
            inner_nodes = peer_nodes(found)
            nodes.update(dict.fromkeys(inner_nodes))
            targets = list(inner_nodes.values())
        for target in targets:
            for inner in _inside(target, seen):
                if isinstance(inner, Node):
                    nodes[inner.name] = None
                else:
                    graphs.append(inner)
    return KnownNames(tuple(nodes), tuple(keys))


def _inside(target: Any, seen: Set[int]) -> Iterator[Union[AnyGraph, Node]]:
    """Yield the graphs in a node, of this package and of LangGraph, and the nodes of the tasks that it calls."""
    if id(target) in seen:
        return
    seen.add(id(target))
    if isinstance(target, GraphBase) or is_peer_graph(target):
        yield target
    elif isinstance(getattr(target, "task_node", None), Node):
        yield target.task_node
        yield from _inside(target.func, seen)
    elif isinstance(target, BaseTool):
        for function in (getattr(target, "func", None), getattr(target, "coroutine", None)):
            yield from _inside(function, seen)
    elif isinstance(getattr(target, "tools_by_name", None), dict):
        for tool in target.tools_by_name.values():
            yield from _inside(tool, seen)
    elif isinstance(target, (RunnableLambda, *with_peer(RunnableCallable, "langgraph._internal._runnable"))):
        for function in (getattr(target, "func", None), getattr(target, "afunc", None)):
            yield from _inside(function, seen)
    elif isinstance(target, Runnable):
        for part in parts_of(target):
            yield from _inside(part, seen)
    elif isinstance(target, (list, tuple)):
        for part in target:
            yield from _inside(part, seen)
    elif callable(target):
        function = inspect.unwrap(target)
        if inspect.isfunction(function) or inspect.ismethod(function):
            yield from _named(function, seen)


def _named(function: Callable[..., object], seen: Set[int]) -> Iterator[Union[AnyGraph, Node]]:
    """Yield the graphs and tasks that a function's code refers to by name."""
    try:
        named = inspect.getclosurevars(function)
    except (TypeError, ValueError):
        return  # a variable of an enclosing function has no value yet
    for value in (*named.nonlocals.values(), *named.globals.values()):
        if isinstance(value, Runnable) or hasattr(value, "task_node"):
            yield from _inside(value, seen)
