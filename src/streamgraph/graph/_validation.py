"""Checks of what a builder is given: its schemas, and that its edges and branches connect nodes that it has."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

from streamgraph._runnable.schema import Hint, Schema, read_schema
from streamgraph.constants import END, START
from streamgraph.errors import GraphBuildError, StateSchemaError, UnknownNodeError
from streamgraph.graph._compiler import JoinSpec
from streamgraph.graph._specs import NodeSpec, OutEdges


def end_schema(source: Optional[Hint], state: Schema) -> Schema:
    """Return the schema of a graph's input or output.

    Args:
        source: The class or type it is read from; `None` for that of the state.
        state: The schema of the state.

    Raises:
        StateSchemaError: A key is computed for each step: nobody can give it, and it has no value at the end.
    """
    if source is None or source is state.source:
        return state
    schema = read_schema(source)
    if schema.managed:
        name = getattr(source, "__name__", source)
        raise StateSchemaError(
            f"Invalid managed channels detected in {name}: {', '.join(schema.managed)}. "
            "Managed channels are not permitted in Input/Output schema"
        )
    return schema


def check_edges(
    nodes: Mapping[str, NodeSpec],
    outgoing: Mapping[str, OutEdges],
    joins: Sequence[JoinSpec],
    interrupt: Sequence[str] = (),
) -> None:
    """Check that a graph has an entry point and that all edges and branches connect known nodes.

    Args:
        nodes: The nodes.
        outgoing: The edges and branches by their sources.
        joins: The edges with several sources.
        interrupt: Where a run is to be interrupted.

    Raises:
        GraphBuildError: The graph has no entry point.
        UnknownNodeError: An edge or branch names an unknown node.
    """

    def check(name: str, what: str) -> None:
        if name not in nodes and name != END:
            raise UnknownNodeError(what, name=name, known=nodes)

    start = outgoing.get(START)
    if start is None or not (start.edges or start.branches):
        raise GraphBuildError(
            "Graph must have an entrypoint: add at least one edge from START to another node",
            hint="Add it with add_edge(START, ...) or set_entry_point(...).",
        )
    for source, leaving in outgoing.items():
        if source != START:
            check(source, f"Found edge starting at unknown node {source!r}")
        for target in leaving.edges:
            check(target, f"Found edge ending at unknown node `{target}`, from {source!r}")
        for branch in leaving.branches:
            for target in (branch.targets or {}).values():
                check(target, f"At {source!r} node, {branch.name!r} branch found unknown target {target!r}")
    for name, spec in nodes.items():
        for target in spec.destinations:
            check(target, f"Destination {target!r} of node {name!r} is unknown")
    for sources, target in joins:
        for source in sources:
            check(source, f"Found edge starting at unknown node {source!r}")
        check(target, f"Found edge ending at unknown node `{target}`, from {list(sources)}")
    for name in interrupt:
        if name not in nodes:
            raise UnknownNodeError(f"Interrupt node `{name}` not found", name=name, known=nodes)
