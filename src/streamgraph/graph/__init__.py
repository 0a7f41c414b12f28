"""Building graphs: the state, its nodes and edges, and the compiled graph that runs."""

from __future__ import annotations

from streamgraph.constants import END, START
from streamgraph.graph.compiled import CompiledStateGraph
from streamgraph.graph.message import MessagesState, add_messages
from streamgraph.graph.state import StateGraph

__all__ = ["END", "START", "CompiledStateGraph", "MessagesState", "StateGraph", "add_messages"]
