"""Structure of a graph of nodes and channels, as langchain-core's drawable `Graph`."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Union

from langchain_core.runnables.graph import Graph
from langchain_core.runnables.graph import Node as GraphNode

from streamgraph._types import Send
from streamgraph.constants import END, START
from streamgraph.pregel._read import PregelNode
from streamgraph.pregel._write import ChannelWriteEntry

Ends = Tuple[Optional[GraphNode], Optional[GraphNode]]

Depth = Union[bool, int]
"""How far nested graphs are expanded: `True` at every depth, a number down to that depth."""


def below(xray: Depth) -> Depth:
    """Return the depth for graphs nested in a graph that is drawn with depth `xray`."""
    return xray if isinstance(xray, bool) else xray - 1


def drawable(nodes: Mapping[str, PregelNode], inputs: Sequence[str], subgraphs: Mapping[str, Graph]) -> Graph:
    """Return the nodes of a graph, with an edge for each channel that one node writes and another is subscribed to.

    A node that starts no other one leads to the end.

    Args:
        nodes: The nodes.
        inputs: The channels of the input.
        subgraphs: The drawable graphs of nodes to expand, by node name.
    """
    graph = Graph()
    start = graph.add_node(None, START)
    places: Dict[str, Ends] = {START: (start, start)}
    for name, node in nodes.items():
        inner = subgraphs.get(name)
        if inner is not None and len(inner.nodes) > 1:
            inner.trim_first_node()
            inner.trim_last_node()
            places[name] = graph.extend(inner, prefix=name)
        else:
            made = graph.add_node(node.bound, name, metadata=dict(node.metadata) or None)
            places[name] = (made, made)
    edges = _edges(nodes, inputs)
    if any(target == END for _, target in edges):
        end = graph.add_node(None, END)
        places[END] = (end, end)
    for source, target in edges:
        first, second = places[source][1], places[target][0]
        if first is not None and second is not None:
            graph.add_edge(first, second)
    return graph


def _edges(nodes: Mapping[str, PregelNode], inputs: Sequence[str]) -> List[Tuple[str, str]]:
    edges: Dict[Tuple[str, str], None] = {}
    for target, node in nodes.items():
        if not set(inputs).isdisjoint(node.triggers):
            edges[START, target] = None
    for source, node in nodes.items():
        channels = {entry.channel for entry in node.writers if isinstance(entry, ChannelWriteEntry)}
        sent = [entry.node for entry in node.writers if isinstance(entry, Send)]
        found = [target for target, other in nodes.items() if not channels.isdisjoint(other.triggers)]
        for target in (*found, *sent):
            edges[source, target] = None
        if not found and not sent:
            edges[source, END] = None
    return list(edges)
