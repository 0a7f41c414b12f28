"""Drawings have their nodes and edges in a fixed order, LangGraph's: by source and target, the ends last."""

from __future__ import annotations

import importlib
import operator
import re
from typing import Any, Literal

import pytest
import typing_extensions
from typing_extensions import Annotated, TypedDict

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode

# What LangGraph says while it imports its own parts.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph")

GRAPHS = {}


class State(TypedDict, total=False):
    """A list that grows."""

    x: Annotated[list, operator.add]


class Lib:
    """What a graph is built with, of one of the libraries."""

    def __init__(self, root):
        graph = importlib.import_module(f"{root}.graph")
        types = importlib.import_module(f"{root}.types")
        self.StateGraph, self.START, self.END = graph.StateGraph, graph.START, graph.END
        self.Command, self.Send = types.Command, types.Send

    def built(self, names, *edges, **nodes):
        """A builder with nodes of these names, or made of these functions, and these edges."""
        builder = self.StateGraph(State)
        for name in names:
            builder.add_node(name, nodes.get(name, plain))
        for source, target in edges:
            builder.add_edge(source, target)
        return builder


def plain(state):
    """A node that does nothing."""


def drawn(function):
    """Add to the graphs that are compared."""
    GRAPHS[function.__name__] = function
    return function


@drawn
def added_in_another_order(lib):
    return lib.built("cab", ("b", "c"), ("c", lib.END), (lib.START, "a"), ("a", "b"))


@drawn
def several_ends(lib):
    return lib.built("dca", (lib.START, "d"), ("d", lib.END), ("d", "a"), ("a", lib.END), ("d", "c"), ("c", lib.END))


@drawn
def dead_ends(lib):
    return lib.built("zyxw", (lib.START, "x"), ("x", "z"), ("x", "w"), ("x", "y"))


@drawn
def dead_ends_beside_an_end(lib):
    return lib.built("bac", (lib.START, "c"), ("c", "b"), ("c", "a"), ("a", lib.END))


@drawn
def several_starts(lib):
    return lib.built("cab", (lib.START, "c"), (lib.START, "a"), (lib.START, "b"), ("b", lib.END))


@drawn
def join(lib):
    builder = lib.built("dcba", (lib.START, "c"), (lib.START, "b"), ("c", "a"), ("a", lib.END))
    builder.add_edge(["c", "b"], "d")
    return builder


@drawn
def two_joins(lib):
    builder = lib.built("edcba", (lib.START, "b"), (lib.START, "a"), ("e", lib.END))
    builder.add_edge(["b", "a"], "e")
    builder.add_edge(["b", "a"], "d")
    builder.add_edge(["e", "d"], "c")
    return builder


def loop(lib):
    return lib.built("ba", (lib.START, "b"), ("b", "a"), ("a", "b"))


@drawn
def loop_with_a_way_out(lib):
    builder = lib.built("ba", (lib.START, "b"), ("b", "a"))
    builder.add_conditional_edges("a", plain, {"again": "b", "enough": lib.END})
    return builder


@drawn
def loop_on_itself(lib):
    builder = lib.built("ab", (lib.START, "a"))
    builder.add_conditional_edges("a", plain, {"again": "a", "on": "b"})
    return builder


@drawn
def branch_with_a_list(lib):
    builder = lib.built("cba", (lib.START, "c"))
    builder.add_conditional_edges("c", plain, ["b", lib.END, "a"])
    return builder


@drawn
def branch_with_labels(lib):
    builder = lib.built("cba", (lib.START, "c"))
    builder.add_conditional_edges("c", plain, {"z": "a", "a": "b", "m": lib.END})
    return builder


def routing(hint):
    """A branch function whose annotation says where it leads."""

    def route(state):
        return "a"

    route.__annotations__ = {"return": hint}
    return route


@drawn
def branch_with_literals(lib):
    builder = lib.built("acb", (lib.START, "a"))
    builder.add_conditional_edges("a", routing(Literal["c", "b", "__end__"]))
    return builder


@drawn
def branch_from_the_start(lib):
    builder = lib.built("ba")
    builder.add_conditional_edges(lib.START, plain, ["b", "a"])
    return builder


@drawn
def two_branches_and_an_edge(lib):
    builder = lib.built("dcba", (lib.START, "d"), ("d", "b"))
    builder.add_conditional_edges("d", plain, {"x": "a"})
    builder.add_conditional_edges("d", lambda state: "c", ["c"])
    return builder


def going(lib: Any, hint: Any) -> Any:
    """A node whose annotation says where it goes."""

    def node(state):
        return lib.Command(goto="a")

    node.__annotations__ = {"return": hint}
    return node


@drawn
def goto(lib):
    node = going(lib, lib.Command[Literal["b", "a"]])
    return lib.built("cba", (lib.START, "c"), ("b", lib.END), c=node)


@drawn
def goto_the_end(lib):
    node = going(lib, lib.Command[Literal["b", "__end__", "a"]])
    return lib.built("cba", (lib.START, "c"), c=node)


@drawn
def goto_beside_an_edge(lib):
    node = going(lib, lib.Command[Literal["d", "a"]])
    return lib.built("dcba", (lib.START, "c"), ("c", "b"), ("b", "d"), c=node)


@drawn
def destinations(lib):
    builder = lib.built("ba")
    builder.add_node("c", plain, destinations=("b", "a"))
    builder.add_edge(lib.START, "c")
    return builder


@drawn
def destinations_with_labels(lib):
    builder = lib.built("ba")
    builder.add_node("c", plain, destinations={"b": "to b", "a": "to a", lib.END: "over"})
    builder.add_edge(lib.START, "c")
    return builder


@drawn
def names_by_case_and_number(lib):
    names = ["n10", "n9", "B", "a", "_x"]
    return lib.built(names, (lib.START, "n9"), *(("n9", name) for name in names if name != "n9"))


@drawn
def nested(lib):
    inner = lib.built("ji", (lib.START, "j"), ("j", "i"), ("i", lib.END)).compile()
    return lib.built(("z", "sub", "a"), (lib.START, "z"), ("z", "sub"), ("sub", "a"), ("z", "a"), sub=inner)


@drawn
def deferred(lib):
    builder = lib.built("ab", (lib.START, "a"), (lib.START, "b"), ("a", "late"), ("b", "late"))
    return builder.add_node("late", plain, defer=True)


@drawn
def metadata(lib):
    builder = lib.built("b", ("b", lib.END))
    builder.add_node("a", plain, metadata={"k": "v"})
    builder.add_edge(lib.START, "a").add_edge("a", "b")
    return builder


def drawing(root, name, **options):
    """The drawing of a graph, built with one of the libraries."""
    return GRAPHS[name](Lib(root)).compile().get_graph(**options)


def told(graph):
    """The nodes, and the edges with labels, in their order."""
    return list(graph.nodes), [(edge.source, edge.target, edge.data, edge.conditional) for edge in graph.edges]


@pytest.mark.parametrize("name", GRAPHS)
def test_as_langgraph(name):
    """Nodes, edges and the text made of them are LangGraph's, in LangGraph's order."""
    ours, theirs = (drawing(root, name) for root in ("streamgraph", "langgraph"))
    assert told(ours) == told(theirs)
    assert ours.draw_mermaid(with_styles=False) == theirs.draw_mermaid(with_styles=False)
    assert ours.draw_mermaid() == theirs.draw_mermaid()


def test_inside_of_nested_graphs_as_langgraph():
    """So is the text if nested graphs are shown from the inside."""
    ours, theirs = (drawing(root, "nested", xray=True) for root in ("streamgraph", "langgraph"))
    assert ours.draw_mermaid(with_styles=False) == theirs.draw_mermaid(with_styles=False)
    assert sorted(ours.nodes) == sorted(theirs.nodes)


@pytest.mark.parametrize("literal", [Literal, typing_extensions.Literal], ids=["typing", "typing_extensions"])
def test_literals(literal):
    """A `Literal` says where a function goes, whichever module it is from."""
    lib = Lib("streamgraph")
    builder = lib.built("cba", (lib.START, "c"), c=going(lib, lib.Command[literal["b"]]))
    builder.add_conditional_edges("b", routing(literal["a", "__end__"]))
    assert told(builder.compile().get_graph())[1] == [
        ("__start__", "c", None, False),
        ("b", "__end__", None, True),
        ("b", "a", None, True),
        ("c", "b", None, True),
        ("a", "__end__", None, False),
    ]


def test_several_ways_to_one_node():
    """Each way has an edge of its own; LangGraph draws only one of them, and loses the labels of the others."""
    lib = Lib("streamgraph")
    builder = lib.built("ba", (lib.START, "b"), ("b", "a"))
    builder.add_conditional_edges("b", plain, {"z": "a", "y": "a", True: lib.END})
    _, edges = told(builder.compile().get_graph())
    assert sorted(edges, key=str) == sorted(
        [
            ("__start__", "b", None, False),
            ("b", "__end__", "True", True),
            ("b", "a", None, False),
            ("b", "a", "y", True),
            ("b", "a", "z", True),
            ("a", "__end__", None, False),
        ],
        key=str,
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_order(name):
    """Edges that were asked for are sorted by source and target; those that dead ends have been given come last."""
    lib = Lib("streamgraph")
    edges = [(edge.source, edge.target) for edge in drawing("streamgraph", name).edges]
    sources = [source for source, _ in edges]
    added = [edge for edge in edges if edge[1] == lib.END and sources.count(edge[0]) == 1]
    asked = [edge for edge in edges if edge not in added]
    assert asked == sorted(asked)
    assert added == sorted(added)


@pytest.mark.parametrize("name", GRAPHS)
def test_always_the_same(name):
    """The same graph gives the same drawing, however often it is built and drawn."""
    texts = {drawing("streamgraph", name).draw_mermaid() for _ in range(3)}
    assert len(texts) == 1


def test_text():
    """What a drawing looks like."""
    text = drawing("streamgraph", "dead_ends").draw_mermaid(with_styles=False)
    arrows = [line.strip() for line in text.splitlines() if "-->" in line]
    assert arrows == [
        "__start__ --> x;",
        "x --> w;",
        "x --> y;",
        "x --> z;",
        "w --> __end__;",
        "y --> __end__;",
        "z --> __end__;",
    ]


def test_tools():
    """A node that runs tools says which, as LangGraph's drawings do."""

    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    builder = StateGraph(MessagesState).add_node("tools", ToolNode([look_up])).add_edge(START, "tools")
    graph = builder.compile().get_graph()

    assert graph.nodes["tools"].metadata == {"__tools": ["look_up"]}
    assert re.search(r"__tools = .*look_up", graph.draw_mermaid())


def test_ascii_and_json():
    """Other ways to show a graph go by the same order."""
    graph = drawing("streamgraph", "branch_with_labels")
    assert [edge["target"] for edge in graph.to_json()["edges"]] == [target for _, target, _, _ in told(graph)[1]]


def test_loop_without_a_way_out():
    """No end is drawn where none can be reached (LangGraph adds one)."""
    graph = loop(Lib("streamgraph")).compile().get_graph()
    assert [(edge.source, edge.target) for edge in graph.edges] == [("__start__", "b"), ("a", "b"), ("b", "a")]
