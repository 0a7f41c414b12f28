"""Graph callback handlers are told when a run pauses and when it goes on, and tracers see no failure."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, Dict, List

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Command, StateGraph
from streamgraph.callbacks import GraphCallbackHandler
from streamgraph.types import interrupt


class State(TypedDict, total=False):
    """A list that every node adds to."""

    x: Annotated[List[Any], operator.add]


class Told(GraphCallbackHandler):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.events: List[Any] = []

    def on_interrupt(self, event: Any) -> None:
        asked = [question.value for question in event.interrupts]
        self.events.append(("pauses", event.status, event.checkpoint_ns, asked, event.checkpoint_id))

    def on_resume(self, event: Any) -> None:
        ns = tuple(level.split(":")[0] for level in event.checkpoint_ns)
        self.events.append(("goes on", event.status, ns, event.checkpoint_id))


class Traced(BaseCallbackHandler):
    """A tracer."""

    def __init__(self) -> None:
        self.outputs: List[Any] = []
        self.errors: List[Any] = []

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        self.outputs.append(outputs)

    def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
        self.errors.append(error)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_handlers_are_told(asynchronous: bool) -> None:
    """Of questions of nested graphs and of breakpoints, each with the checkpoint at which the thread stands."""
    inner = StateGraph(State).add_node("ask", lambda state: {"x": [interrupt("sure?")]}).add_edge(START, "ask")
    builder = StateGraph(State).add_node("a", lambda state: {"x": ["a"]}).add_node("inner", inner.compile())
    builder.add_node("z", lambda state: {"x": ["z"]}).add_edge(START, "a").add_edge("a", "inner").add_edge("inner", "z")
    graph: Any = builder.compile(checkpointer=InMemorySaver(), interrupt_after=["a"], interrupt_before=["z"])
    told, traced = Told(), Traced()
    config: Any = {"configurable": {"thread_id": "1"}, "callbacks": [traced, told]}

    def run(given: Any) -> List[Any]:
        before = graph.get_state(config).config["configurable"].get("checkpoint_id", "")
        told.events.clear()
        asyncio.run(graph.ainvoke(given, config)) if asynchronous else graph.invoke(given, config)
        after = graph.get_state(config).config["configurable"]["checkpoint_id"]
        names: Dict[str, str] = {before: "before", after: "after"}
        return [(*event[:-1], names.get(event[-1], "inner")) for event in told.events]

    assert run({"x": []}) == [("pauses", "interrupt_after", (), [], "after")]
    assert run(None) == [("goes on", "pending", (), "after"), ("pauses", "pending", (), ["sure?"], "after")]
    assert run(Command(resume="yes")) == [
        ("goes on", "pending", (), "before"),
        ("goes on", "pending", ("inner",), "inner"),
        ("pauses", "interrupt_before", (), [], "after"),
    ]
    assert run(None) == [("goes on", "pending", (), "before")]
    assert run({"x": []}) == [("pauses", "interrupt_after", (), [], "after")]
    assert traced.errors == []
    assert not any("__interrupt__" in output for output in traced.outputs if isinstance(output, dict))


@pytest.mark.parametrize("raises", [False, True])
def test_a_handler_that_fails(raises: bool) -> None:
    """It does not end the run, unless it says that it is to."""

    class Failing(GraphCallbackHandler):
        raise_error = raises

        def on_resume(self, event: Any) -> None:
            raise ValueError("broken handler")

    builder = StateGraph(State).add_node("ask", lambda state: {"x": [interrupt("sure?")]}).add_edge(START, "ask")
    graph = builder.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    graph.invoke({"x": []}, config)
    if raises:
        with pytest.raises(ValueError, match="broken handler"):
            graph.invoke(Command(resume="yes"), {**config, "callbacks": [Failing()]})
    assert graph.invoke(Command(resume="yes"), {**config, "callbacks": [] if raises else [Failing()]}) == {"x": ["yes"]}
