"""What a builder shows of its graph, and the older builder for message lists."""

from __future__ import annotations

import operator

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from typing_extensions import Annotated, TypedDict

from streamgraph import END, START, StateGraph
from streamgraph.errors import UnknownNodeError
from streamgraph.graph import MessageGraph
from streamgraph.managed import RemainingSteps
from streamgraph.types import RetryPolicy, TimeoutPolicy
from streamgraph.warnings import LangGraphDeprecatedSinceV10


class State(TypedDict):
    """A state."""

    x: Annotated[list, operator.add]
    left: RemainingSteps


class Private(TypedDict):
    """What one node sees."""

    hidden: int


def nothing(state):
    """Do nothing."""


def secret(state: Private):
    """Do nothing, with an input of its own."""


def build():
    """A graph with all kinds of edges."""
    builder = StateGraph(State).add_node("a", nothing).add_node("b", nothing).add_node(secret)
    builder.add_edge(START, "a").add_edge(["a", "b"], "secret")
    return builder.add_conditional_edges("a", nothing, {"x": "b", "y": END})


def test_schemas():
    """Every schema that the graph knows is there, with its keys."""
    schemas = build().schemas
    assert set(schemas) == {State, Private}
    assert set(schemas[State]) == {"x", "left"}
    assert set(schemas[Private]) == {"hidden"}


def test_edges():
    """Edges, joins and branches are told apart."""
    builder = build()
    assert builder.edges == {(START, "a")}
    assert builder.waiting_edges == {(("a", "b"), "secret")}
    assert builder.branches["a"]["nothing"].ends == {"x": "b", "y": END}
    builder.edges.clear()
    assert builder.edges == {(START, "a")}


def test_nodes():
    """A node's spec has the names that LangGraph's has."""
    builder = StateGraph(State).add_node(
        "a", nothing, input_schema=Private, retry_policy=RetryPolicy(), timeout=2, destinations=("b",), defer=True
    )
    spec = builder.nodes["a"]
    assert (spec.runnable, spec.input_schema, spec.retry_policy) == (nothing, Private, (RetryPolicy(),))
    assert (spec.timeout, spec.cache_policy, spec.ends) == (TimeoutPolicy(2), None, {"b": None})
    assert spec.defer
    assert builder.add_node("b", nothing).nodes["b"].input_schema is None


def test_compiled():
    """It says whether a graph was made of it."""
    builder = build()
    assert not builder.compiled
    builder.compile()
    assert builder.compiled


def test_validating_interrupts():
    """Names of nodes to stop at are checked with the rest."""
    builder = build()
    assert builder.validate(["a"]) is builder
    with pytest.raises(UnknownNodeError, match="Interrupt node `aa` not found. Did you mean 'a'"):
        builder.validate(["aa"])


def test_message_graph():
    """It works, under a warning."""
    with pytest.warns(LangGraphDeprecatedSinceV10, match="MessagesState") as caught:
        builder = MessageGraph()
    assert caught[0].filename == __file__
    graph = (
        builder.add_node("answer", lambda messages: AIMessage(f"{len(messages)}")).add_edge(START, "answer").compile()
    )
    assert [message.content for message in graph.invoke([HumanMessage("hi")])] == ["hi", "1"]
    assert [message.content for message in graph.invoke("hi")] == ["hi", "1"]
