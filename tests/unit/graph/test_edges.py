"""Edges, joins, branches, sends: what runs after what."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.runnables import RunnableLambda
from typing_extensions import Literal

from streamgraph import END, START, Command, Send, StateGraph
from support.list_graphs import State, both, line


def function(state):
    return {"x": ["function"]}


async def coroutine(state):
    await asyncio.sleep(0)
    return {"x": ["coroutine"]}


def fan(**options):
    """A builder with four nodes that note their names, of which `d` may have options."""
    builder = StateGraph(State)
    for name in "abcd":
        note = lambda state, name=name: {"x": [name]}  # noqa: E731
        builder.add_node(name, note, **(options if name == "d" else {}))
    return builder


def test_chained_calls():
    """Every method of the builder returns it."""
    builder = StateGraph(State)
    assert builder.add_node("a", function) is builder
    assert builder.add_edge(START, "a") is builder
    assert builder.add_conditional_edges("a", lambda state: END) is builder
    assert builder.add_sequence([coroutine]) is builder
    assert builder.set_entry_point("a") is builder
    assert builder.set_finish_point("a") is builder
    assert builder.set_conditional_entry_point(lambda state: "a") is builder
    assert builder.validate() is builder


def test_join():
    """An edge from several nodes waits for all; edges of their own run their target each time."""
    joined = fan().add_edge(START, "a").add_edge(START, "b").add_edge("b", "c").add_edge(["a", "c"], "d")
    assert joined.compile().invoke({})["x"] == ["a", "b", "c", "d"]
    single = fan().add_edge(START, "a").add_edge(START, "b").add_edge("b", "c").add_edge("a", "d").add_edge("c", "d")
    assert single.compile().invoke({})["x"] == ["a", "b", "c", "d", "d"]


def test_defer():
    """A deferred node runs once, when nothing else is left to run."""
    builder = fan(defer=True).add_edge(START, "a").add_edge(START, "b").add_edge("b", "c")
    graph = builder.add_edge("a", "d").add_edge("c", "d").compile()
    assert graph.invoke({})["x"] == ["a", "b", "c", "d"]


def test_sequence():
    """A sequence names its nodes by themselves or by what stands beside them."""
    graph = StateGraph(State).add_sequence([function, ("second", coroutine)]).set_entry_point("function").compile()
    assert list(map(list, both(graph, {}))) == [["function"], ["second"]]


def to_c_or_end(state) -> Literal["c", "__end__"]:
    return "c" if len(state["x"]) == 1 else END


@pytest.mark.parametrize(
    ("path", "path_map", "after"),
    [
        (lambda state: "b", None, ["b"]),
        (lambda state: ["b", "c"], None, ["b", "c"]),
        (lambda state: END, None, []),
        (lambda state: [], None, []),
        (lambda state: len(state["x"]) == 1, {True: "b", False: END}, ["b"]),
        (lambda state: ["yes", "no"], {"yes": "c", "no": END}, ["c"]),
        (lambda state: "c", ["b", "c"], ["c"]),
        (to_c_or_end, None, ["c"]),
        (lambda state: [Send("b", {"x": []}), Send("b", {"x": []})], None, ["b", "b"]),
        (lambda state: ["c", Send("b", {})], {"c": "d"}, ["d", "b"]),
        (RunnableLambda(lambda state: "c"), None, ["c"]),
        (RunnableLambda(coroutine) | (lambda update: "c"), None, ["c"]),
    ],
)
@pytest.mark.parametrize("source", ["a", START])
def test_branches(path, path_map, after, source):
    """Where a branch may lead, from a node and from the start; it sees what its node has just written."""
    builder = fan()
    if source == "a":
        builder.add_edge(START, "a").add_conditional_edges("a", path, path_map)
        assert builder.compile().invoke({})["x"] == ["a", *after]
    else:
        assert builder.add_conditional_edges(START, path, path_map).compile().invoke({"x": ["a"]})["x"] == ["a", *after]


def test_several_lambdas_as_branches():
    """Two lambdas at one node are two branches."""
    builder = fan().add_edge(START, "a").add_conditional_edges("a", lambda state: "b")
    assert builder.add_conditional_edges("a", lambda state: "c").compile().invoke({})["x"] == ["a", "b", "c"]


def test_async_branch():
    """A branch may be a coroutine function; it works in sync runs as well."""

    async def choose(state):
        await asyncio.sleep(0)
        return "c"

    graph = fan().add_edge(START, "a").add_conditional_edges("a", choose).compile()
    assert both(graph, {}) == [{"a": {"x": ["a"]}}, {"c": {"x": ["c"]}}]


def test_send_gives_the_input():
    """What a `Send` carries is what the node gets, in place of the state, be it a dict or not."""
    seen = []
    builder = StateGraph(State).add_node("w", lambda given: seen.append(given))
    for arg in ({"other": 1}, 5, None, [1]):
        builder.add_conditional_edges(START, lambda state, arg=arg: Send("w", arg))
    builder.compile().invoke({})
    assert sorted(map(repr, seen)) == ["5", "None", "[1]", "{'other': 1}"]


def test_parent_command():
    """A nested graph can send the graph around it on its way; what it wrote goes to the parent."""
    inner = line(lambda state: Command(graph=Command.PARENT, update={"x": ["inner"]}, goto="d"))
    builder = fan().add_node("sub", inner).add_edge(START, "sub")
    assert both(builder.compile(), {}) == [{"sub": {"x": ["inner"]}}, {"d": {"x": ["d"]}}]


def test_changes_after_compile():
    """A compiled graph does not change with its builder."""
    builder = fan().add_edge(START, "a")
    graph = builder.compile()
    builder.add_edge("a", "b").add_node("e", function).add_edge("a", "e")
    assert graph.invoke({})["x"] == ["a"]
    assert "e" not in graph.nodes
    assert sorted(builder.compile().invoke({})["x"]) == ["a", "b", "function"]


def test_names_in_a_sequence():
    """A Runnable in a sequence has the name of its class, as in LangGraph; `add_node` takes its own name."""
    named = RunnableLambda(lambda state: {"x": ["named"]}, name="own")
    assert list(StateGraph(State).add_sequence([function, named]).nodes) == ["function", "RunnableLambda"]
    assert list(StateGraph(State).add_node(named).nodes) == ["own"]
