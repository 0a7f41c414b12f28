"""Graph builder: state, nodes, edges, and the compiled graph."""

from __future__ import annotations

from streamgraph.constants import END, START
from streamgraph.graph.compiled import CompiledStateGraph
from streamgraph.graph.message import MessageGraph, MessagesState, add_messages
from streamgraph.graph.state import StateGraph

__all__ = ["END", "START", "CompiledStateGraph", "MessageGraph", "MessagesState", "StateGraph", "add_messages"]
