"""Graphs inside nodes are found, whether they are the node, a step of it, or called by its function."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from typing_extensions import TypedDict

from streamgraph.graph import StateGraph


class State(TypedDict):
    """A state of one number."""

    x: int


def one(package: str) -> Any:
    """A graph of one node."""
    made = importlib.import_module(f"{package}.graph").StateGraph(State)
    return made.add_node("inside", lambda state: {"x": 1}).add_edge("__start__", "inside").compile()


def sequence(package: str, *nodes: Any) -> Any:
    """A graph of these nodes, one after the other."""
    made = importlib.import_module(f"{package}.graph").StateGraph(State)
    made.add_sequence([(f"n{number}", node) for number, node in enumerate(nodes)]).add_edge("__start__", "n0")
    return made.compile()


def everywhere(package: str) -> Any:
    """A graph as a node, in a chain, in a lambda, in closures, sync and async; and nodes without one."""
    inner = one(package)

    def calls(state: Any) -> Any:
        return inner.invoke(state)

    async def acalls(state: Any) -> Any:
        return await inner.ainvoke(state)

    def nothing(state: Any) -> Any:
        return {}

    return sequence(package, inner, RunnableLambda(nothing) | inner, RunnableLambda(calls), calls, acalls, nothing)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph")
def test_as_langgraph() -> None:
    """The same nodes have graphs in them as with LangGraph, and the drawing shows the same insides."""
    theirs, ours = everywhere("langgraph"), everywhere("streamgraph")
    assert [name for name, _ in ours.get_subgraphs()] == ["n0", "n1", "n2", "n3", "n4"]
    assert [name for name, _ in ours.get_subgraphs()] == [name for name, _ in theirs.get_subgraphs()]
    drawn = [graph.get_graph(xray=True).draw_mermaid(with_styles=False) for graph in (theirs, ours)]
    assert drawn[0] == drawn[1]


def test_levels() -> None:
    """Names of deeper graphs have their path; a namespace picks one."""
    made = sequence("streamgraph", sequence("streamgraph", one("streamgraph")))
    assert [name for name, _ in made.get_subgraphs(recurse=True)] == ["n0", "n0|n0"]
    ((name, graph),) = made.get_subgraphs(namespace="n0|n0", recurse=True)
    assert list(graph.nodes) == ["__start__", "inside"]  # as in LangGraph


def test_a_graph_that_calls_itself() -> None:
    """Recursion ends: a graph is not looked for inside itself, under another config either."""

    def again(state: State) -> Any:
        return graph.with_config(tags=["deeper"]).invoke({"x": state["x"] - 1}) if state["x"] else {}

    graph = StateGraph(State).add_node(again).add_edge("__start__", "again").compile()
    assert graph.invoke({"x": 3}) == {"x": 0}
    assert list(graph.get_subgraphs(recurse=True)) == []
    assert "again" in graph.get_graph(xray=True).nodes


def test_a_name_without_a_value() -> None:
    """A function that names a variable which has no value yet is no obstacle."""

    def early(state: State) -> Any:
        return later.invoke(state)

    graph = StateGraph(State).add_node(early).add_edge("__start__", "early").compile()
    assert list(graph.get_subgraphs()) == []
    later = one("streamgraph")
    assert graph.invoke({"x": 0}) == {"x": 1}
