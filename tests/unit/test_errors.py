"""Errors as data: their texts, their suggestions, copies and pickles."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass

import pytest

from streamgraph import Command, errors
from streamgraph._control_errors import mark_invalid_resume
from streamgraph._locations import locate
from streamgraph.errors import ErrorLocation, GraphError, ParentCommand, closest, location_of
from streamgraph.types import Interrupt
from streamgraph.warnings import LangGraphDeprecatedSinceV10
from support.list_graphs import collected, line

CLASSES = [
    errors.GraphError,
    errors.GraphBuildError,
    errors.UnknownNodeError,
    errors.NodeNameError,
    errors.StateSchemaError,
    errors.UnknownOptionError,
    errors.UnknownKeywordError,
    errors.EmptyInputError,
    errors.InvalidUpdateError,
    errors.UnknownRouteError,
    errors.GraphRecursionError,
    errors.NodeCancelledError,
]
COPIES = [copy.copy, copy.deepcopy, *(
    lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
)]  # fmt: skip


# NodeCancelledError takes LangGraph's arguments, the node first: it has a test of its own.
@pytest.mark.parametrize("make", COPIES)
@pytest.mark.parametrize("kind", CLASSES[:-1], ids=lambda kind: kind.__name__)
def test_copies(kind, make):
    """A copied or unpickled error has its class, its text and all of its attributes."""
    error = kind("It broke", node="n", key="k", step=3, name="nmae", known=("name", 5), hint="Mend it.")
    locate(error, ErrorLocation("n", 3, ("outer:1",)))
    made = make(error)
    assert type(made) is kind
    assert str(made) == str(error)
    assert made.args == error.args
    assert vars(made) == vars(error)
    assert (made.suggestion, made.known) == ("name", ("name", "5"))
    assert location_of(made) == ErrorLocation("n", 3, ("outer:1",))


@pytest.mark.parametrize("make", COPIES)
def test_copies_of_a_parent_command(make):
    """The error that carries a command keeps it, also where LangGraph has it."""
    made = make(ParentCommand(Command(graph=Command.PARENT, goto="x")))
    assert made.command == Command(graph=Command.PARENT, goto="x")
    assert made.args == (made.command,)
    assert "parent" in str(made)


@pytest.mark.parametrize("make", COPIES)
def test_copies_of_a_cancelled_node(make):
    """The error names the node, and says what happened if nothing else is said."""
    made = make(errors.NodeCancelledError("ask", step=2))
    assert (made.node, made.step) == ("ask", 2)
    assert str(made) == "Node 'ask' raised asyncio.CancelledError (at node 'ask', step 2)."
    assert str(make(errors.NodeCancelledError("ask", "It broke"))) == "It broke (at node 'ask')."


@pytest.mark.parametrize("make", COPIES)
def test_copies_of_an_interrupt(make):
    """The error that carries questions keeps them, also where LangGraph has them, and says what to do with it."""
    made = make(errors.GraphInterrupt((Interrupt("sure?", "1"), Interrupt("really?", "2"))))
    assert made.interrupts == made.args[0] == (Interrupt("sure?", "1"), Interrupt("really?", "2"))
    assert str(made) == (
        "A node waits for an answer to 'sure?', 'really?'. "
        "Let this exception pass: whoever runs the graph finds the question under `__interrupt__`."
    )


@pytest.mark.parametrize("make", COPIES)
def test_copies_of_a_node_interrupt(make):
    """It warns when it is made, and not again when it is copied."""
    with pytest.warns(LangGraphDeprecatedSinceV10, match="Please use `streamgraph.types.interrupt` instead") as caught:
        error = errors.NodeInterrupt("sure?", "1")
    assert caught[0].filename == __file__
    made = make(error)
    assert type(made) is errors.NodeInterrupt
    assert made.interrupts == (Interrupt("sure?", "1"),)


@pytest.mark.parametrize("make", COPIES)
def test_copies_of_an_unknown_interrupt(make):
    """The error says which questions are waiting."""
    error = errors.UnknownInterruptError(
        "Nobody asked 'x'.", reason="not_pending", interrupt_ids=["x"], pending_ids=["1", "2"]
    )
    made = make(error)
    assert (made.reason, made.interrupt_ids, made.pending_ids) == ("not_pending", ("x",), ("1", "2"))
    assert str(made) == "Nobody asked 'x'. Waiting for an answer: '1', '2'."
    assert str(errors.UnknownInterruptError("It names none", reason="empty_map")) == (
        "It names none. No question is waiting."
    )


def test_an_invalid_answer_is_marked():
    """The mark tells a wrong answer from a wrong argument; LangGraph's own mark is known, too."""
    error, theirs = ValueError(), ValueError()
    assert not errors.is_invalid_resume(error)
    mark_invalid_resume(error)
    theirs._langgraph_invalid_resume = True
    assert errors.is_invalid_resume(error)
    assert errors.is_invalid_resume(theirs)


def test_error_codes():
    """A code leads to the page about it."""
    text = errors.create_error_message(message="It broke", error_code=errors.ErrorCode.GRAPH_RECURSION_LIMIT)
    assert text.splitlines()[0] == "It broke"
    assert text.endswith("/errors/GRAPH_RECURSION_LIMIT")


@pytest.mark.parametrize("kind", [errors.GraphError, errors.GraphInterrupt, errors.ParentCommand])
def test_errors_are_where_they_are_imported_from(kind):
    """Tracebacks and pickles name the public module."""
    assert kind.__module__ == "streamgraph.errors"


@pytest.mark.parametrize("kind", CLASSES[1:], ids=lambda kind: kind.__name__)
def test_one_root(kind):
    """Every error of the package can be caught as one."""
    assert issubclass(kind, GraphError)
    assert kind.__name__ in errors.__all__


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "It broke."),
        ({"node": "n"}, "It broke (at node 'n')."),
        ({"node": "n", "key": "k", "step": 0}, "It broke (at node 'n', key 'k', step 0)."),
        ({"name": "nmae", "known": ["name", "other"]}, "It broke. Did you mean 'name'?"),
        ({"name": "zzz", "known": ["name", "other"]}, "It broke. Known: 'name', 'other'."),
        ({"name": "zzz"}, "It broke."),
        ({"hint": "Mend it."}, "It broke. Mend it."),
        ({"name": "nmae", "known": ["name"], "hint": "Mend it."}, "It broke. Did you mean 'name'? Mend it."),
    ],
)
def test_texts(fields, text):
    """The text has what is known, where it happened, the closest name, and what to do."""
    assert str(GraphError("It broke", **fields)) == text


def test_long_lists_are_cut():
    """Of many known names the first twenty are shown."""
    text = str(GraphError("It broke", name="zzz", known=[f"name{index}" for index in range(30)]))
    assert "'name19', …." in text
    assert "name20" not in text


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("Updates", ["updates", "values"], "updates"),
        ("mesage", ["messages", "values"], "messages"),
        ("zzz", ["messages"], None),
        ("", ["messages"], None),
        (5, [5, 6], "5"),
        ("x", [], None),
        (None, ["None"], "None"),
    ],
)
def test_closest(name, known, found):
    """The closest name is found whatever its case; where none is near, there is none."""
    assert closest(name, known) == found
    expected = None if name is None else found
    assert GraphError("It broke", name=name, known=known).suggestion == expected


def test_innermost_location():
    """The place kept as data is the innermost; every level leaves a note."""
    error = ValueError("no")
    assert location_of(error) is None
    locate(error, ErrorLocation("inner", 1, ("outer:1",)))
    locate(error, ErrorLocation("outer", 2))
    assert location_of(error) == ErrorLocation("inner", 1, ("outer:1",))
    assert error.__notes__ == [
        "While running node 'inner' in step 1 of outer:1.",
        "While running node 'outer' in step 2.",
    ]


@dataclass(frozen=True)
class Frozen(Exception):
    """An exception that takes no attributes."""

    code: int


def test_an_exception_that_takes_no_attributes():
    """An exception class that refuses attributes is located like any other."""
    error = Frozen(5)
    locate(error, ErrorLocation("n", 1))
    assert location_of(error) == ErrorLocation("n", 1)
    assert error.code == 5


def test_a_node_that_raises_such_an_exception():
    """It is raised as it is through a graph in a graph, by both drivers."""

    def fail(state):
        raise Frozen(5)

    graph = line(("outer", line(("inner", fail))))
    for run in (lambda: list(graph.stream({})), lambda: collected(graph, {})):
        with pytest.raises(Frozen) as raised:
            run()
        assert (raised.value.code, location_of(raised.value).node) == (5, "inner")


@pytest.mark.parametrize("make", COPIES)
def test_copies_of_an_empty_channel_error(make):
    """It is made without arguments."""
    made = make(errors.EmptyChannelError())
    assert (type(made), str(made)) == (errors.EmptyChannelError, "The channel has no value.")
