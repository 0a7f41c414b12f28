"""Wrong input that only shows while a graph runs: what nodes and branches return, and limits."""

from __future__ import annotations

import asyncio
import copy

import pytest

from streamgraph import END, START, Command, Send, StateGraph
from streamgraph import errors as E
from streamgraph.types import Overwrite
from support.list_graphs import State, both, collected, line


def plain(state):
    """A node that appends to `x`."""
    return {"x": ["plain"]}


def writer(state):
    """Another one."""
    return {"x": ["writer"]}


def builder():
    """A builder with these nodes."""
    return StateGraph(State).add_node(plain).add_node(writer).add_edge(START, "plain")


def says(error, *words):
    """Whether the text of an error has all of these."""
    return [word for word in words if word not in str(error)] == []


def error_of(made, given=None, config=None):
    """The error of a run, which both drivers give."""
    found = []
    for run in (
        lambda: list(made.stream({} if given is None else given, config)),
        lambda: collected(made, given or {}, config),
    ):
        with pytest.raises(Exception) as raised:
            run()
        found.append(raised.value)
    assert type(found[0]) is type(found[1])
    assert str(found[0]) == str(found[1])
    return found[0]


@pytest.mark.parametrize("result", [5, "text", [{"x": [1]}], [], object, 0.5], ids=repr)
def test_return_value(result):
    """What a node may not return is an error that names the node, the type and the keys."""
    error = error_of(line(("wrong", lambda state: result)))
    assert isinstance(error, E.InvalidUpdateError)
    assert says(error, "'wrong'", "'x', 'p', 'q'", type(result).__name__)
    assert E.location_of(error).node == "wrong"


def parallel(**nodes):
    """A graph whose nodes all run in the first step."""
    made = StateGraph(State)
    for name, update in nodes.items():
        made.add_node(name, lambda state, update=update: update).add_edge(START, name)
    return made.compile()


def test_two_writes():
    """Two nodes that write one plain key in one step are both named, and the key."""
    error = error_of(parallel(one={"p": 1}, two={"p": 2}))
    assert isinstance(error, E.InvalidUpdateError)
    assert says(error, "'one'", "'two'", "'p'", "Annotated")


def test_two_overwrites():
    """Two overwrites of one key in one step, likewise."""
    error = error_of(parallel(one={"x": Overwrite([1])}, two={"x": Overwrite([2])}))
    assert isinstance(error, E.InvalidUpdateError)
    assert says(error, "'one'", "'two'", "'x'")


def routed(answer, path_map=None):
    """A graph whose node `plain` is followed by a branch with this answer."""
    return builder().add_conditional_edges("plain", lambda state: answer, path_map).compile()


@pytest.mark.parametrize(
    ("make", "right"),
    [
        (lambda: routed("wrtier"), "writer"),
        (lambda: routed(["writer", "wrtier"]), "writer"),
        (lambda: routed(Send("wrtier", 1)), "writer"),
        (lambda: routed("contineu", {"continue": "writer"}), "continue"),
        (lambda: line(("plain", lambda state: Command(goto="wrtier")), ("writer", writer)), "writer"),
        (lambda: line(("plain", lambda state: Command(goto=[Send("wrtier", 1)])), ("writer", writer)), "writer"),
        (lambda: line(("plain", lambda state: Send("wrtier", 1)), ("writer", writer)), "writer"),
        (lambda: line(("plain", lambda state: [Send("wrtier", 1)]), ("writer", writer)), "writer"),
    ],
)
def test_unknown_route(make, right):
    """A route to nowhere names its node, the wrong name and the closest right one."""
    error = error_of(make())
    assert isinstance(error, E.UnknownRouteError)
    assert isinstance(error, ValueError)
    assert says(error, "'plain'", repr(error.name), f"Did you mean {right!r}?")
    assert error.name in ("wrtier", "contineu")


@pytest.mark.parametrize("make", [lambda: routed(Send(END, 1)), lambda: line(("plain", lambda state: Send(END, 1)))])
def test_send_to_the_end(make):
    """The end cannot be sent to."""
    error = error_of(make())
    assert isinstance(error, E.UnknownRouteError)
    assert says(error, "END", "'plain'")


@pytest.mark.parametrize("path_map", [None, {"go": "writer"}])
def test_branch_that_returns_nothing(path_map):
    """A branch must say where to go."""
    error = error_of(routed(None, path_map))
    assert isinstance(error, E.UnknownRouteError)
    assert says(error, "None", "'plain'", "<lambda>")


def test_recursion_limit():
    """The error names the limit and the nodes still to run, after the chunks of the steps that were run."""
    made = builder().add_edge("plain", "writer").add_edge("writer", "plain").compile()
    error = error_of(made, config={"recursion_limit": 3})
    assert isinstance(error, E.GraphRecursionError)
    assert isinstance(error, RecursionError)
    assert says(error, "limit of 3 ", "'writer'", "recursion_limit")
    pulled = made.stream({}, {"recursion_limit": 3})
    assert [list(next(pulled)) for _ in range(3)] == [["plain"], ["writer"], ["plain"]]
    with pytest.raises(E.GraphRecursionError):
        next(pulled)


def test_exactly_at_the_limit():
    """A run that ends exactly at the recursion limit succeeds."""
    assert line(("plain", plain), ("writer", writer)).invoke({}, {"recursion_limit": 2}) == {"x": ["plain", "writer"]}


def test_parent_of_a_root_graph():
    """A command for the parent, where there is none, is an error that says so."""
    error = error_of(line(("n", lambda state: Command(graph=Command.PARENT, update={"x": [1]}))))
    assert isinstance(error, E.ParentCommand)
    assert says(error, "parent")
    assert error.command.update == {"x": [1]}


def test_async_only_nodes_in_a_sync_run():
    """A node that can only be awaited simply works in `stream` and `invoke`."""

    async def slow(state):
        await asyncio.sleep(0)
        return {"x": ["async"]}

    assert both(line(slow, plain), {}) == [{"n0": {"x": ["async"]}}, {"n1": {"x": ["plain"]}}]
    assert line(slow).invoke({}) == {"x": ["async"]}


def test_errors_of_nodes_keep_their_type():
    """What a node raises is raised as it is, with the place attached."""

    class Mine(Exception):
        pass

    error = Mine("mine")

    def fail(state):
        raise error

    with pytest.raises(Mine) as raised:
        line(("fail", fail)).invoke({})
    assert raised.value is error
    assert E.location_of(error) == E.ErrorLocation("fail", 1)
    assert copy.copy(E.location_of(error)).namespace == ()
