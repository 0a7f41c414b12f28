"""A `Command` as the input of a run: its update is the input, and it goes somewhere besides the entry points."""

from __future__ import annotations

import asyncio
import operator
from dataclasses import dataclass

import pytest
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Command, Send, StateGraph
from streamgraph.errors import InvalidUpdateError, UnknownRouteError


class State(TypedDict):
    """A list that every node adds to."""

    x: Annotated[list, operator.add]


def adds(name):
    """A node that adds its name."""
    return lambda state: {"x": [name]}


def build(**schemas):
    """A graph of two nodes in a row."""
    builder = StateGraph(State, **schemas).add_node("a", adds("a")).add_node("b", adds("b"))
    return builder.add_edge(START, "a").add_edge("a", "b").compile()


@pytest.mark.parametrize(
    ("command", "output"),
    [
        (Command(update={"x": ["in"]}), ["in", "a", "b"]),
        (Command(update=[("x", ["in"]), ("x", ["too"])]), ["in", "too", "a", "b"]),
        (Command(goto="b"), ["a", "b", "b"]),
        (Command(goto=["b", Send("b", {"x": []})]), ["a", "b", "b", "b"]),
        (Command(update={"x": ["in"]}, goto="b"), ["in", "a", "b", "b"]),
        (Command(), ["a", "b"]),
    ],
)
def test_what_runs(command, output):
    """Sync and async runs do the same."""
    assert build().invoke(command) == {"x": output}
    assert asyncio.run(build().ainvoke(command)) == {"x": output}


def test_with_a_conditional_entry():
    """The branch sees the update, and its choice counts as well."""
    builder = StateGraph(State).add_node("a", adds("a")).add_node("b", adds("b"))
    graph = builder.add_conditional_edges(START, lambda state: state["x"][0], ["a", "b"]).compile()
    assert graph.invoke(Command(update={"x": ["a"]}, goto="b")) == {"x": ["a", "a", "b"]}


def test_an_object_as_the_update():
    """What a node may return as an update is one here as well."""

    @dataclass
    class Update:
        x: list

    assert build().invoke(Command(update=Update(["in"]))) == {"x": ["in", "a", "b"]}


@pytest.mark.parametrize(
    ("command", "error", "text"),
    [
        (Command(goto="bb"), UnknownRouteError, "A route goes to 'bb'.*Did you mean 'b'"),
        (Command(goto=Send("bb", {})), UnknownRouteError, "A Send goes to 'bb'"),
        (Command(graph=Command.PARENT, goto="b"), InvalidUpdateError, "starts a run is for the graph '__parent__'"),
        (Command(update=3), InvalidUpdateError, "Expected dict, got 3"),
    ],
)
def test_mistakes(command, error, text):
    """A command that cannot work is refused before anything runs."""
    with pytest.raises(error, match=text):
        build().invoke(command)
    with pytest.raises(error, match=text):
        build().stream(command)


def test_a_nested_graph_is_started_by_a_command():
    """A node may call a graph like that."""
    inner = build()
    graph = (
        StateGraph(State).add_node("c", lambda state: inner.invoke(Command(goto="b"))).add_edge(START, "c").compile()
    )
    assert graph.invoke({"x": []}) == {"x": ["a", "b", "b"]}
