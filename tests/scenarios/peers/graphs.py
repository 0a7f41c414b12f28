"""Graphs of this package and of LangGraph for the tests of this folder."""

from __future__ import annotations

import asyncio
import inspect
import operator
from typing import Any, List

from langchain_core.messages import HumanMessage
from langgraph.graph import StateGraph as TheirGraph
from typing_extensions import Annotated, TypedDict

from streamgraph.graph import START, StateGraph, add_messages
from streamgraph.testing import ScriptedModel

PASSES_CONTEXT = "context" in inspect.signature(asyncio.create_task).parameters
"""Whether LangGraph can pass its context to its async tasks here; else code in them does not know where it is."""


class State(TypedDict, total=False):
    """A state."""

    messages: Annotated[List[Any], add_messages]
    log: Annotated[List[str], operator.add]


def given() -> Any:
    """An input."""
    return {"messages": [HumanMessage("hi", id="hi")], "log": []}


def one(builder: Any, node: Any, name: str = "node", **options: Any) -> Any:
    """A graph of one node."""
    return builder(State).add_node(name, node).add_edge(START, name).compile(**options)


def ours(node: Any, name: str = "node", **options: Any) -> Any:
    """A graph of this package with one node."""
    return one(StateGraph, node, name, **options)


def theirs(node: Any, name: str = "inner", **options: Any) -> Any:
    """A graph of LangGraph with one node."""
    return one(TheirGraph, node, name, **options)


def model(*answers: Any, **options: Any) -> ScriptedModel:
    """A model that gives these answers again and again."""
    return ScriptedModel(list(answers), cycle=True, **options)


def agent(model: Any, tools: Any, **options: Any) -> Any:
    """An agent of langchain, which is a graph of LangGraph; where langchain has none, LangGraph's own."""
    try:
        from langchain.agents import create_agent as create
    except ImportError:
        from langgraph.prebuilt import create_react_agent as create
    return create(model, tools, **options)
