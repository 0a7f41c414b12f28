"""Interrupts of LangGraph's code come out of our runs, and ours out of LangGraph's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from scenarios.peers.graphs import State, agent, given, model, ours, theirs
from streamgraph.graph import START, StateGraph
from streamgraph.prebuilt import ToolNode
from streamgraph.types import Interrupt
from streamgraph.types import interrupt as our_interrupt


@tool
def ask(q: str) -> str:
    """Ask the user."""
    return str(interrupt({"question": q}))


def asking() -> AIMessage:
    return AIMessage("", id="a", tool_calls=[{"name": "ask", "args": {"q": "really"}, "id": "1"}])


def assistant(**options: Any) -> Any:
    return agent(model(asking()), [ask], **options)


def call(graph: Any, asynchronous: bool, value: Any) -> Any:
    return asyncio.run(graph.ainvoke(value)) if asynchronous else graph.invoke(value)


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("saver", [False, True])
def test_an_agent_asks(saver: bool, asynchronous: bool) -> None:
    """The question is in the output, and in the stream."""
    graph = ours(assistant(checkpointer=InMemorySaver()) if saver else assistant(), "sub")
    graph = graph.with_config(configurable={"thread_id": "1"})
    (found,) = call(graph, asynchronous, given())["__interrupt__"]
    assert type(found) is Interrupt
    assert found.value == {"question": "really"}
    if not saver:
        ((question,),) = [chunk["__interrupt__"] for chunk in graph.stream(given()) if "__interrupt__" in chunk]
        assert question.value == {"question": "really"}


def test_a_question_in_a_node_tool_or_task_of_ours() -> None:
    """LangGraph's `interrupt` asks wherever ours does."""

    def node(state: Any) -> Any:
        return {"log": [interrupt("in a node")]}

    assert ours(node).invoke(given())["__interrupt__"][0].value == "in a node"
    result = ours(ToolNode([ask]), "tools").invoke({"messages": [asking()]})
    assert result["__interrupt__"][0].value == {"question": "really"}


def test_what_runs_beside_it_finishes() -> None:
    """As with our own questions, the nodes beside it finish, and nothing is retried or handled."""
    from langgraph.types import RetryPolicy

    attempts = []

    def node(state: Any) -> Any:
        attempts.append(1)
        return {"log": [interrupt("?")]}

    builder = StateGraph(State).add_node(
        "node",
        node,
        retry_policy=RetryPolicy(initial_interval=0, retry_on=Exception),
        error_handler=lambda state, error: {"log": ["handled"]},
    )
    builder.add_node("beside", lambda state: {"log": ["beside"]}).add_edge(START, "node").add_edge(START, "beside")
    result = builder.compile().invoke(given())
    assert result["log"] == ["beside"]
    assert result["__interrupt__"][0].value == "?"
    assert len(attempts) == 1


@pytest.mark.parametrize("ask_with", [interrupt, our_interrupt])
def test_a_question_of_ours_in_a_graph_of_theirs(ask_with: Any) -> None:
    """LangGraph's graph around ours is interrupted, and its state tells the question."""

    def node(state: Any) -> Any:
        return {"log": [ask_with("really?")]}

    graph = theirs(ours(node), "sub", checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    graph.invoke(given(), config)
    assert [item.value for item in graph.get_state(config).tasks[0].interrupts] == ["really?"]
    if ask_with is interrupt:
        assert graph.invoke(Command(resume="yes"), config)["log"] == ["yes"]
