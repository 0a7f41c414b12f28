"""The picture of a graph: everything is on it, nothing overlaps, names cannot break out of it."""

from __future__ import annotations

from typing import Any, Dict, List, Literal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgraph.graph import END, START, MessagesState, StateGraph
from streamgraph.watching import Edge, GraphShape, graph_svg
from streamgraph.watching._layout import layout_of

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> List[str]:
    return [str(found.text) for found in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_graph_draws_itself_with_those_inside() -> None:
    def route(state: Any) -> Literal["inner", "__end__"]:
        return "inner"

    inner = StateGraph(MessagesState).add_node("say", lambda state: {}).add_edge(START, "say").compile()
    builder = StateGraph(MessagesState).add_node("first", lambda state: {}).add_node("inner", inner)
    builder.add_edge(START, "first").add_conditional_edges("first", route).add_edge("inner", "first")
    made = builder.compile(name="joker")._repr_mimebundle_()
    assert set(made) == {"text/plain", "image/svg+xml"}
    svg = made["image/svg+xml"]
    assert sorted(texts(svg)) == ["end", "end", "first", "inner", "say", "start", "start"]
    assert svg.count('class="maybe"') == 2
    assert "<title>joker</title>" in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")  # no network


def test_a_graph_that_calls_itself() -> None:
    graphs: List[Any] = []

    def again(state: Any) -> Any:
        return graphs[0].invoke(state)

    graphs.append(StateGraph(MessagesState).add_node("again", again).add_edge(START, "again").compile())
    assert texts(graphs[0]._repr_mimebundle_()["image/svg+xml"]) == ["start", "again", "end"]


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><b', "]]>", "\x1b[2J\x00", "猫" * 50, "&amp;"])
def test_names_are_escaped(name: str) -> None:
    svg = graph_svg(GraphShape([name, "b"], [Edge(name, "b", name), Edge("b", "b")]), name)
    root = ElementTree.fromstring(svg)  # which refuses what is no XML
    assert {found.tag for found in root.iter()} <= {
        SVG + tag for tag in ("svg", "title", "desc", "style", "defs", "marker", "path", "g", "rect", "text")
    }


def test_edges_of_unknown_nodes_are_left_out() -> None:
    assert texts(graph_svg(GraphShape(["a"], [Edge("a", "none")]))) == ["a"]
    assert texts(graph_svg(GraphShape([], []))) == []


NAMES = [str(number) for number in range(7)]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=20))
def test_no_two_nodes_overlap_whatever_the_edges_are(pairs: Any) -> None:
    sizes = {name: (40.0 + 20 * int(name), 30.0 if int(name) % 2 else 90.0) for name in NAMES}
    edges = [Edge(source, target) for source, target in pairs]
    layout = layout_of(sizes, edges)
    boxes: Dict[str, Any] = {}
    for name, (x, y) in layout.centres.items():
        width, height = sizes[name]
        boxes[name] = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        assert boxes[name][0] >= -0.01
        assert boxes[name][1] >= -0.01
        assert boxes[name][2] <= layout.size[0] + 0.01
        assert boxes[name][3] <= layout.size[1] + 0.01
    for one in NAMES:
        for other in NAMES:
            if one < other:
                a, b = boxes[one], boxes[other]
                assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    assert len(layout.paths) == len(edges)
    for edge, path in zip(edges, layout.paths):
        assert (len(path) == 1) == (edge.source == edge.target)


def test_there_and_back_run_beside_each_other() -> None:
    sizes = {"agent": (60.0, 30.0), "tools": (60.0, 30.0)}
    there, back = layout_of(sizes, [Edge("agent", "tools"), Edge("tools", "agent")]).paths
    assert there[0][1] < there[-1][1]
    assert back[0][1] > back[-1][1]
    assert there[0][0] != back[-1][0]


def test_a_drawing_follows_the_graph_down() -> None:
    edges = [Edge(START, "a"), Edge("a", "b"), Edge("b", END), Edge("a", END)]
    sizes = dict.fromkeys((START, "a", "b", END), (40.0, 30.0))
    heights = {name: centre[1] for name, centre in layout_of(sizes, edges).centres.items()}
    assert heights[START] < heights["a"] < heights["b"] < heights[END]
