"""Graphs of LangChain Runnables that stream.

Wire functions, chains, tools and other graphs into a graph, and watch it run: `stream` and `astream` yield the
state after each step, each node's update, your own data, and every token of every model, from Python 3.9 on.
The modules have LangGraph's names, so moving over means changing imports.
"""

from __future__ import annotations

from streamgraph._message_writer import message_writer
from streamgraph.accumulate import MessageAccumulator, StateAccumulator
from streamgraph.config import get_config, get_store, get_stream_writer
from streamgraph.constants import END, START
from streamgraph.graph import CompiledStateGraph, MessagesState, StateGraph, add_messages
from streamgraph.replacing import replace_langgraph, restore_langgraph
from streamgraph.runtime import Runtime
from streamgraph.types import Command, Send, StreamMode, StreamWriter

__all__ = [
    "END",
    "START",
    "Command",
    "CompiledStateGraph",
    "MessageAccumulator",
    "MessagesState",
    "Runtime",
    "Send",
    "StateAccumulator",
    "StateGraph",
    "StreamMode",
    "StreamWriter",
    "add_messages",
    "get_config",
    "get_store",
    "get_stream_writer",
    "message_writer",
    "replace_langgraph",
    "restore_langgraph",
]
