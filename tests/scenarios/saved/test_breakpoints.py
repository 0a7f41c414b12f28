"""Breakpoints in nested graphs: the whole run pauses, and goes on where it was."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, Callable, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Command, StateGraph
from streamgraph.errors import UnknownInterruptError
from streamgraph.types import interrupt

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class State(TypedDict, total=False):
    """A list that every node adds to."""

    x: Annotated[List[Any], operator.add]


def inner(ran: List[str], **points: Any) -> Any:
    builder = StateGraph(State)
    for name in ("a", "b"):
        builder.add_node(name, lambda state, name=name: ran.append(name) or {"x": [name]})  # type: ignore[misc]
    return builder.add_edge(START, "a").add_edge("a", "b").compile(**points)


def as_a_node(ran: List[str], **points: Any) -> Any:
    return inner(ran, **points)


def two_levels_down(ran: List[str], **points: Any) -> Any:
    return StateGraph(State).add_node("inner", inner(ran, **points)).add_edge(START, "inner").compile()


def called(ran: List[str], **points: Any) -> Any:
    graph = inner(ran, **points)
    return lambda state: {"x": graph.invoke({"x": []})["x"]}


def caught(ran: List[str], **points: Any) -> Any:
    """The node's code catches everything."""
    graph = inner(ran, **points)

    def node(state: Any) -> Any:
        try:
            return {"x": graph.invoke({"x": []})["x"]}
        except Exception:
            return {"x": ["caught"]}

    return node


def outer(node: Any, *, saver: Any = True, **nodes: Any) -> Any:
    builder = StateGraph(State).add_node("node", node).add_edge(START, "node")
    builder.add_node("last", lambda state: {"x": ["last"]}).add_edge("node", "last")
    for name, beside in nodes.items():
        builder.add_node(name, beside).add_edge(START, name)
    return builder.compile(checkpointer=InMemorySaver() if saver else None)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("points", [{"interrupt_before": ["b"]}, {"interrupt_after": ["a"]}], ids=repr)
@pytest.mark.parametrize("make", [as_a_node, two_levels_down, called, caught], ids=lambda make: make.__name__)
@pytest.mark.parametrize("goes_on", [None, Command(resume="go on")], ids=repr)
def test_the_whole_run_pauses(make: Callable[..., Any], points: Any, asynchronous: bool, goes_on: Any) -> None:
    ran: List[str] = []
    graph = outer(make(ran, **points))

    def run(given: Any) -> Any:
        return asyncio.run(graph.ainvoke(given, CONFIG)) if asynchronous else graph.invoke(given, CONFIG)

    assert run({"x": ["i"]}) == {"x": ["i"]}
    assert ran == ["a"]
    state = graph.get_state(CONFIG)
    assert (state.next, state.interrupts) == (("node",), ())
    assert run(goes_on)["x"][-2:] == ["b", "last"]
    assert ran == ["a", "b"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_is_streamed(asynchronous: bool) -> None:
    graph = outer(two_levels_down([], interrupt_before=["b"]))

    async def read(given: Any) -> List[Any]:
        return [chunk async for chunk in graph.astream(given, CONFIG)]

    def chunks(given: Any) -> List[Any]:
        return asyncio.run(read(given)) if asynchronous else list(graph.stream(given, CONFIG))

    assert chunks({"x": []}) == [{"__interrupt__": ()}]
    assert chunks(None) == [{"node": {"x": ["a", "b"]}}, {"last": {"x": ["last"]}}]


def test_without_a_saver() -> None:
    """The run ends there, as it does at a breakpoint of the graph itself."""
    ran: List[str] = []
    assert outer(as_a_node(ran, interrupt_before=["b"]), saver=False).invoke({"x": ["i"]}) == {"x": ["i"]}
    assert ran == ["a"]


def test_beside_a_question() -> None:
    """An answer lets both go on."""
    ran: List[str] = []
    asks = lambda state: {"x": [interrupt("sure?")]}  # noqa: E731
    graph = outer(as_a_node(ran, interrupt_before=["b"]), asks=asks)
    (question,) = graph.invoke({"x": []}, CONFIG)["__interrupt__"]
    assert question.value == "sure?"
    assert graph.invoke(Command(resume="yes"), CONFIG)["x"] == ["yes", "a", "b", "last"]
    assert ran == ["a", "b"]


def test_an_answer_at_a_breakpoint() -> None:
    """It lets the run go on, as `None` does; an answer to a named question is refused."""
    graph = inner([], interrupt_before=["b"], checkpointer=InMemorySaver())
    graph.invoke({"x": []}, CONFIG)
    with pytest.raises(UnknownInterruptError, match="No question is waiting"):
        graph.invoke(Command(resume={"0" * 32: "yes"}), CONFIG)
    assert graph.invoke(Command(resume="go on"), CONFIG) == {"x": ["a", "b"]}
    with pytest.raises(UnknownInterruptError, match="nothing to answer"):
        graph.invoke(Command(resume="again"), CONFIG)
