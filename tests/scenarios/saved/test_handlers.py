"""Error handlers in saved runs: a handler that has begun goes on, and the node that has failed does not run again."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, Callable, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Command, StateGraph
from streamgraph.errors import NodeError
from streamgraph.types import Send, interrupt

CONFIG: Any = {"configurable": {"thread_id": "1"}}
BOTH = pytest.mark.parametrize("asynchronous", [False, True])
DURABILITIES = pytest.mark.parametrize("durability", ["sync", "async", "exit"])


class State(TypedDict, total=False):
    """A list that every node adds to."""

    x: Annotated[List[Any], operator.add]


class Graph:
    """A graph of a node that fails and one beside it, then a last one.

    Args:
        handler: The error handler.
        beside: The node beside.
        sent: The node is started by a `Send`.
    """

    def __init__(self, handler: Callable[..., Any], beside: Any = None, *, sent: bool = False) -> None:
        self.ran: List[str] = []
        builder = StateGraph(State).add_node("fails", self._fails, error_handler=self._noting(handler))
        builder.add_node("beside", beside or (lambda state: {"x": ["beside"]})).add_edge(START, "beside")
        builder.add_node("last", lambda state: {"x": ["last"]}).add_edge("beside", "last")
        if sent:
            builder.add_conditional_edges(START, lambda state: [Send("fails", {"x": ["sent"]})], ["fails"])
        else:
            builder.add_edge(START, "fails")
        self.graph: Any = builder.compile(checkpointer=InMemorySaver())

    def _fails(self, state: Any) -> Any:
        self.ran.append("fails")
        raise ValueError("boom")

    def _noting(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        def handle(state: Any, error: NodeError) -> Any:
            self.ran.append(f"handles {error.node}: {error.error!r}")
            return handler(state)

        return handle

    def run(self, given: Any, asynchronous: bool = False, durability: str = "sync") -> Any:
        if asynchronous:
            return asyncio.run(self.graph.ainvoke(given, CONFIG, durability=durability))
        return self.graph.invoke(given, CONFIG, durability=durability)

    def taken(self) -> List[str]:
        ran, self.ran = sorted(self.ran), []
        return ran


HANDLED = "handles fails: ValueError('boom')"


@BOTH
@DURABILITIES
@pytest.mark.parametrize("sent", [False, True])
def test_a_handler_that_asks(asynchronous: bool, durability: str, sent: bool) -> None:
    """Its question is shown, it goes on with the answer, and nothing else runs again."""
    program = Graph(lambda state: {"x": [interrupt("what now?"), interrupt("sure?")]}, sent=sent)
    (question,) = program.run({"x": []}, asynchronous, durability)["__interrupt__"]
    assert program.taken() == ["fails", HANDLED]
    state = program.graph.get_state(CONFIG)
    assert (state.interrupts, state.next) == ((question,), ("fails",))
    assert [task.interrupts for task in state.tasks if task.name == "fails"] == [(question,)]
    (question,) = program.run(Command(resume="retry"), asynchronous, durability)["__interrupt__"]
    assert question.value == "sure?"
    output = program.run(Command(resume="yes"), asynchronous, durability)
    assert program.taken() == [HANDLED, HANDLED]
    assert sorted(output["x"]) == ["beside", "last", "retry", "yes"]
    assert program.graph.get_state(CONFIG).next == ()


@BOTH
@DURABILITIES
def test_a_handler_that_fails(asynchronous: bool, durability: str) -> None:
    """The next run begins with the handler, and with the failure that it is for."""
    broken = [True]

    def handler(state: Any) -> Any:
        if broken:
            raise KeyError("worse")
        return {"x": ["handled"]}

    program = Graph(handler)
    with pytest.raises(KeyError, match="worse"):
        program.run({"x": []}, asynchronous, durability)
    broken.clear()
    assert program.taken() == ["fails", HANDLED]
    assert sorted(program.run(None, asynchronous, durability)["x"]) == ["beside", "handled", "last"]
    assert program.taken() == [HANDLED]


@BOTH
def test_a_handler_that_has_finished(asynchronous: bool) -> None:
    """What it has done is kept while the step waits for something else, and shown as that of its node."""
    program = Graph(lambda state: {"x": ["handled"]}, lambda state: {"x": [interrupt("beside?")]})
    program.run({"x": []}, asynchronous)
    assert program.taken() == ["fails", HANDLED]
    state = program.graph.get_state(CONFIG)
    assert (state.values, state.next) == ({"x": ["handled"]}, ("beside",))
    assert [task.result for task in state.tasks if task.name == "fails"] == [{"x": ["handled"]}]
    assert program.run(Command(resume="yes"), asynchronous) == {"x": ["yes", "handled", "last"]}
    assert program.taken() == []


def test_a_new_input() -> None:
    """What the handler has done stays, as that of any task does."""
    program = Graph(lambda state: {"x": ["handled"]}, lambda state: {"x": [interrupt("beside?")]})
    program.run({"x": []})
    assert program.run({"x": ["new"]})["x"][:2] == ["handled", "new"]


def test_a_change_of_the_state() -> None:
    """A node whose failure was handled is not due any more."""
    program = Graph(lambda state: {"x": ["handled"]}, lambda state: {"x": [interrupt("beside?")]})
    program.run({"x": []})
    program.graph.update_state(CONFIG, {"x": ["changed"]}, as_node="beside")
    state = program.graph.get_state(CONFIG)
    assert (state.values, state.next) == ({"x": ["handled", "changed"]}, ("last",))


def test_one_command_of_a_handler() -> None:
    """Where it leads is kept as well."""

    def handler(state: Any) -> Any:
        return Command(goto="last", update={"x": ["handled"]})

    program = Graph(handler, lambda state: Command(goto="__end__", update={"x": [interrupt("beside?")]}))
    program.run({"x": []})
    assert program.run(Command(resume="yes")) == {"x": ["yes", "handled", "last"]}
    assert program.taken() == ["fails", HANDLED]
