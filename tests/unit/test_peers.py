"""Values and control signals of LangGraph, converted in both directions."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import pytest

from streamgraph import errors
from streamgraph._peers import (
    PeerSignalError,
    is_command,
    own_error,
    own_result,
    passes_through,
    peer_command,
    peer_error,
    peer_result,
)
from streamgraph.types import Command, Interrupt, Overwrite, Send

pytest.importorskip("langgraph")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from langgraph import errors as their_errors
    from langgraph import types

OVERWRITE = getattr(types, "Overwrite", None)


@pytest.mark.parametrize(
    ("value", "own"),
    [
        (types.Send("a", 1), Send("a", 1)),
        ([types.Send("a", 1), "b"], [Send("a", 1), "b"]),
        ((types.Send("a", 1), "b"), (Send("a", 1), "b")),
        (types.Command(goto="a", update={"x": 1}), Command(goto="a", update={"x": 1})),
        (types.Command(goto=types.Send("a", 1)), Command(goto=Send("a", 1))),
        (types.Command(goto=[types.Send("a", 1), "b"]), Command(goto=[Send("a", 1), "b"])),
        (Command(goto=[types.Send("a", 1)]), Command(goto=[Send("a", 1)])),
        ([types.Command(goto="a"), {"x": 1}], [Command(goto="a"), {"x": 1}]),
        (types.Command(graph=types.Command.PARENT), Command(graph=Command.PARENT)),
    ],
)
def test_own_result(value: Any, own: Any) -> None:
    """What is LangGraph's becomes ours."""
    made = own_result(value)
    assert made == own
    assert type(made) is type(own)
    assert is_command(value) == is_command(own)


@pytest.mark.skipif(OVERWRITE is None, reason="this LangGraph has no Overwrite")
def test_overwrites() -> None:
    """In updates of every form."""
    theirs, own = OVERWRITE, Overwrite  # type: ignore[misc]
    assert own_result({"x": theirs([1]), "y": 2}) == {"x": own([1]), "y": 2}
    assert own_result(theirs([1])) == own([1])
    assert own_result(types.Command(update={"x": theirs([1])})) == Command(update={"x": own([1])})
    assert own_result(types.Command(update=[("x", theirs([1]))])) == Command(update=[("x", own([1]))])
    assert own_result([Command(), {"x": theirs([1])}]) == [Command(), {"x": own([1])}]
    assert peer_command(Command(update={"x": own([1])})).update["x"] == theirs([1])
    assert peer_command(Command(update=[("x", own([1]))])).update == [("x", theirs([1]))]


@pytest.mark.parametrize("value", [None, "a", 1, {"x": 1}, [1, 2], (), [{"x": 1}], Command(goto="a"), Send("a", 1)])
def test_nothing_to_convert(value: Any) -> None:
    """Everything else is the same object."""
    assert own_result(value) is value
    assert peer_result(value) is value or isinstance(value, Command)


def test_without_langgraph(monkeypatch: pytest.MonkeyPatch) -> None:
    """If LangGraph is not loaded, nothing is looked at."""
    value = types.Command(goto="a")
    monkeypatch.delitem(sys.modules, "langgraph.types")
    assert own_result(value) is value
    assert peer_result(Command()) == Command()


def test_own_errors() -> None:
    """Control signals become ours; failures stay what they are."""
    failure = ValueError("boom")
    assert own_error(failure) is failure
    assert not passes_through(failure)
    parent = own_error(their_errors.ParentCommand(types.Command(graph=types.Command.PARENT, goto="a")))
    assert isinstance(parent, errors.ParentCommand)
    assert parent.command == Command(graph=Command.PARENT, goto="a")
    arrived = own_error(their_errors.ParentCommand(types.Command(graph="node:1", goto="a")))
    assert isinstance(arrived, errors.ParentCommand)
    assert arrived.command == Command(goto="a")
    asked = own_error(their_errors.GraphInterrupt((types.Interrupt(value="?", id="i"),)))
    assert isinstance(asked, errors.GraphInterrupt)
    assert [(type(item), item.value, item.id) for item in asked.interrupts] == [(Interrupt, "?", "i")]
    assert isinstance(own_error(their_errors.GraphInterrupt()), errors.GraphInterrupt)
    other = own_error(their_errors.GraphBubbleUp("x"))
    assert isinstance(other, PeerSignalError)
    assert "GraphBubbleUp" in str(other)


def test_peer_errors() -> None:
    """What leaves our graph for a task of LangGraph is LangGraph's."""
    failure = ValueError("boom")
    assert peer_error(failure, "node:1") is failure
    parent: Any = peer_error(errors.ParentCommand(Command(graph=Command.PARENT, goto=[Send("a", 1), "b"])), "node:1")
    assert isinstance(parent, their_errors.ParentCommand)
    assert parent.args[0] == types.Command(graph="node:1", goto=[types.Send("a", 1), "b"])
    asked: Any = peer_error(errors.GraphInterrupt((Interrupt("?", "i"),)), "node:1")
    assert isinstance(asked, their_errors.GraphInterrupt)
    assert [(item.value, item.id) for item in asked.args[0]] == [("?", "i")]
    original = their_errors.GraphBubbleUp("x")
    assert peer_error(own_error(original), "node:1") is original
    drained = peer_error(errors.GraphDrained("closing"), "node:1")
    assert isinstance(drained, getattr(their_errors, "GraphDrained", errors.GraphDrained))


def test_peer_results() -> None:
    """LangGraph's handlers get commands of LangGraph's."""
    assert peer_result(Command(goto="a")) == types.Command(goto="a")
    assert peer_result([Command(goto="a"), {"x": 1}]) == [types.Command(goto="a"), {"x": 1}]


def test_time_limits_of_sends() -> None:
    """A limit is handed on if LangGraph knows it; it is not lost."""
    command = Command(goto=Send("a", 1, timeout=2.0))
    if hasattr(types, "TimeoutPolicy"):
        assert peer_command(command).goto.timeout.run_timeout == 2
        assert own_result(types.Send("a", 1, timeout=2)).timeout.run_timeout == 2
    else:
        with pytest.raises(errors.NotSupportedError, match="has no TimeoutPolicy"):
            peer_command(command)
