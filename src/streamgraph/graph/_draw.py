"""Structure of a compiled graph as langchain-core's drawable `Graph`."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from langchain_core.runnables.graph import Graph
from langchain_core.runnables.graph import Node as GraphNode

from streamgraph._core.plan import Plan
from streamgraph.constants import END, START
from streamgraph.graph._annotations import goto_results
from streamgraph.graph._specs import NodeSpec

Ends = Tuple[Optional[GraphNode], Optional[GraphNode]]


def drawable(plan: Plan, specs: Mapping[str, NodeSpec], subgraphs: Mapping[str, Graph]) -> Graph:
    """Return the nodes and edges of a graph for drawing or inspection.

    Edges of a branch are unknown, and omitted, if neither `path_map` nor a `Literal` return type names its targets. A
    node without outgoing edges leads to the end.

    Args:
        plan: The graph.
        specs: The node specs by node name.
        subgraphs: The drawable graphs of nodes to expand, by node name.
    """
    graph = Graph()
    places: Dict[str, Ends] = {START: _added(graph, START, None, None)}
    for name, node in plan.nodes.items():
        inner = subgraphs.get(name)
        if inner is not None and len(inner.nodes) > 1:
            places[name] = graph.extend(_trimmed(inner), prefix=name)
        else:
            metadata = {**node.metadata, "defer": True} if node.defer else dict(node.metadata)
            places[name] = _added(graph, name, specs[name].action, metadata or None)
    edges = _edges(plan, specs)
    if any(target == END for _, target, _, _ in edges):
        places[END] = _added(graph, END, None, None)
    for source, target, label, conditional in edges:
        start, end = places[source][1], places[target][0]
        if start is not None and end is not None:
            graph.add_edge(start, end, label, conditional)
    return graph


def _added(graph: Graph, name: str, data: Any, metadata: Optional[Dict[str, object]]) -> Ends:
    node = graph.add_node(data, name, metadata=metadata)
    return node, node


def _trimmed(graph: Graph) -> Graph:
    graph.trim_first_node()
    graph.trim_last_node()
    return graph


def _edges(plan: Plan, specs: Mapping[str, NodeSpec]) -> List[Tuple[str, str, Optional[str], bool]]:
    """Return the distinct edges as `(source, target, label, conditional)`."""
    edges: Dict[Tuple[str, str, Optional[str], bool], None] = {}
    for node in (plan.start, *plan.nodes.values()):
        for target in node.edges:
            edges[node.name, target, None, False] = None
        for join in node.joins:
            edges[node.name, join.target, None, False] = None
        for branch in node.branches:
            for result, target in (branch.targets or {}).items():
                edges[node.name, target, None if result == target else str(result), True] = None
    for name, spec in specs.items():
        for target in goto_results(spec.action):
            if target in plan.nodes or target == END:
                edges[name, target, None, True] = None
        for target, label in spec.destinations.items():
            edges.pop((name, target, None, True), None)
            edges[name, target, label, True] = None
    sources = {source for source, _, _, _ in edges}
    last = [(name, END, None, False) for name in sorted(plan.nodes) if name not in sources]
    return sorted(edges, key=lambda edge: edge[:2]) + last
