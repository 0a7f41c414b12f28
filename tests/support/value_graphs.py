"""Small graphs around nodes, over a state of one plain key, `value`."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from streamgraph.graph import END, START, StateGraph


class State(TypedDict, total=False):
    """A state with something in it."""

    value: str


def graph_of(**nodes: Any) -> Any:
    """A graph that runs all nodes in one step."""
    builder = StateGraph(State)
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(START, name)
        builder.add_edge(name, END)
    return builder.compile()


def line_of(**nodes: Any) -> Any:
    """A graph that runs the nodes one after the other."""
    builder = StateGraph(State)
    before = START
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(before, name)
        before = name
    return builder.compile()
