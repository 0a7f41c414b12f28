"""Reading a node's return value."""

from __future__ import annotations

from collections import OrderedDict

import pytest

from streamgraph._core.plan import ROOT_KEY, Channel
from streamgraph._core.results import as_list, check_route, read_result, read_routes
from streamgraph.errors import InvalidUpdateError, ParentCommand, UnknownRouteError
from streamgraph.types import Command, Send
from unit.core.plans import branch, channels, node, plan


class Point:
    """A state object."""

    x = (1,)


def graph(**fields):
    """A plan with nodes `writer` and `reader` and the keys `x` and `p`."""
    fields.setdefault("as_mapping", lambda value: {"x": [1], "other": 2} if isinstance(value, Point) else None)
    return plan(["writer"], node("writer"), node("reader"), keys=channels("p"), **fields)


SEND = Send("reader", 1)

VALID = [
    (None, [], []),
    ({}, [], []),
    ({"x": [1], "p": None}, [("x", [1]), ("p", None)], []),
    ({"p": 1, "unknown": 2}, [("p", 1)], []),
    (OrderedDict(p=1), [("p", 1)], []),
    (Point(), [("x", [1])], []),
    (SEND, [], [SEND]),
    ([SEND, SEND], [], [SEND, SEND]),
    ((SEND,), [], [SEND]),
    (Command(), [], []),
    (Command(update={"p": 1}), [("p", 1)], []),
    (Command(update=[("p", 1), ("p", 2), ("unknown", 3)]), [("p", 1), ("p", 2)], []),
    (Command(update=(["p", 1],)), [("p", 1)], []),
    (Command(update=[]), [], []),
    (Command(update=Point()), [("x", [1])], []),
    (Command(goto="reader"), [], ["reader"]),
    (Command(goto=["reader", SEND, "__end__", "writer"]), [], ["reader", SEND, "writer"]),
    (Command(goto=("reader",)), [], ["reader"]),
    (Command(goto=SEND), [], [SEND]),
    (
        [Command(update={"p": 1}, goto="writer"), {"x": [2]}, Point(), SEND, None],
        [("p", 1), ("x", [2]), ("x", [1])],
        ["writer", SEND],
    ),
]


@pytest.mark.parametrize(("result", "writes", "routes"), VALID, ids=lambda value: repr(value)[:40])
def test_valid(result, writes, routes):
    """What a node may return, and what it writes and where it goes."""
    outcome = read_result(graph(), "writer", result)
    assert (list(outcome.writes), list(outcome.routes)) == (writes, routes)
    assert outcome.stored is None


@pytest.mark.parametrize(
    "result",
    [1, 0, True, "text", "", [], [{"x": [1]}], ("p", 1), {1}, object(), Command(update=5), Command(update="text"),
     Command(update=[("p", 1, 2)]), [Command(), 5], [SEND, "reader"]],
    ids=lambda value: repr(value)[:40].split(" at ")[0],
)  # fmt: skip
def test_invalid(result):
    """Anything else is an error that names the node, the type and the keys."""
    with pytest.raises(InvalidUpdateError) as raised:
        read_result(graph(), "writer", result)
    assert raised.value.node == "writer"
    assert all(text in str(raised.value) for text in ("Expected dict", "'writer'", "'x', 'p'", " of type "))


def test_long_values_are_shortened():
    """A huge wrong value does not make a huge message."""
    with pytest.raises(InvalidUpdateError) as raised:
        read_result(graph(), "writer", "x" * 10_000)
    assert len(str(raised.value)) < 300


def test_root_state():
    """A state of one value takes any value but nothing, also through a command."""
    root = plan([], node("writer"), keys={ROOT_KEY: Channel(ROOT_KEY)})
    assert read_result(root, "writer", None).writes == ()
    for value in (5, [], {"x": 1}, "text", [("p", 1)]):
        assert read_result(root, "writer", value).writes == ((ROOT_KEY, value),)
        assert read_result(root, "writer", Command(update=value)).writes == ((ROOT_KEY, value),)
    assert read_result(root, "writer", [Command(update=1), 2]).writes == ((ROOT_KEY, 1), (ROOT_KEY, 2))


def test_parent():
    """A command for the parent graph is passed on as it is."""
    command = Command(graph=Command.PARENT, update={"anything": 1}, goto="anywhere")
    for result in (command, [{"x": [1]}, command]):
        with pytest.raises(ParentCommand) as raised:
            read_result(graph(), "writer", result)
        assert raised.value.command is command


def test_command_for_another_graph():
    """A command that names any other graph is an error."""
    with pytest.raises(InvalidUpdateError, match=r"'elsewhere'.*'writer'.*Command\.PARENT"):
        read_result(graph(), "writer", Command(graph="elsewhere"))


@pytest.mark.parametrize(
    "result", [Command(goto="raeder"), Command(goto=["writer", "raeder"]), Send("raeder", 1), [Send("raeder", 1)]]
)
def test_unknown_route(result):
    """A route to an unknown node names the node, the wrong name and the closest right one."""
    with pytest.raises(UnknownRouteError) as raised:
        read_result(graph(), "writer", result)
    error = raised.value
    assert (error.node, error.name, error.suggestion) == ("writer", "raeder", "reader")
    assert "Did you mean 'reader'?" in str(error)


def test_send_to_the_end():
    """The end runs nothing, so nothing can be sent to it."""
    for result in (Send("__end__", 1), Command(goto=[Send("__end__", 1)])):
        with pytest.raises(UnknownRouteError, match="END"):
            read_result(graph(), "writer", result)


@pytest.mark.parametrize("route", [["reader"], {"reader"}, {"to": "reader"}, None, 5], ids=repr)
def test_a_route_that_is_no_name(route):
    """A route that is neither a name nor a `Send` is an error of the same kind, also if it has no hash."""
    for unusable in (route, Send(route, 1)):
        with pytest.raises(UnknownRouteError):
            check_route(graph(), "writer", unusable)


@pytest.mark.parametrize(
    ("answer", "targets", "routes"),
    [
        ("reader", None, ("reader",)),
        ("__end__", None, ()),
        (["reader", "__end__", "writer"], None, ("reader", "writer")),
        (("reader",), None, ("reader",)),
        ([], None, ()),
        (SEND, None, (SEND,)),
        ([SEND, "writer"], None, (SEND, "writer")),
        (True, {True: "reader", False: "__end__"}, ("reader",)),
        (False, {True: "reader", False: "__end__"}, ()),
        (["go", SEND], {"go": "writer"}, ("writer", SEND)),
        (None, {None: "reader"}, ("reader",)),
    ],
)
def test_branch(answer, targets, routes):
    """What a branch may return, and where it leads."""
    assert read_routes(graph(), "writer", branch("choose", None, targets), answer) == routes


@pytest.mark.parametrize(
    ("answer", "targets", "words"),
    [
        (None, None, ["'choose'", "None", "'writer'"]),
        ("raeder", None, ["'raeder'", "'writer'", "Did you mean 'reader'?"]),
        ("stpo", {"stop": "__end__"}, ["'choose'", "'stpo'", "'writer'", "Did you mean 'stop'?"]),
        (None, {"stop": "__end__"}, ["'choose'", "None"]),
        ({"to": "reader"}, None, ["'writer'"]),
        ([["reader"]], {"go": "reader"}, ["'choose'", "'writer'"]),
        (Send("raeder", 1), {"go": "reader"}, ["'raeder'", "Did you mean 'reader'?"]),
    ],
)
def test_branch_goes_wrong(answer, targets, words):
    """A branch that leads nowhere is an error that names it, its node and the closest right name."""
    with pytest.raises(UnknownRouteError) as raised:
        read_routes(graph(), "writer", branch("choose", None, targets), answer)
    assert [word for word in words if word not in str(raised.value)] == []


def test_as_list():
    """One route or several."""
    assert as_list("abc") == ("abc",)
    assert as_list(["a", "b"]) == ["a", "b"]
    assert as_list(SEND) == (SEND,)
