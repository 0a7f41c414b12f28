"""Prebuilt nodes and graphs: a tool node and an agent."""

from __future__ import annotations

from streamgraph.prebuilt._tool_call_stream import ToolCallStream, ToolCallTransformer
from streamgraph.prebuilt.chat_agent_executor import create_react_agent
from streamgraph.prebuilt.tool_node import InjectedState, InjectedStore, ToolNode, ToolRuntime, tools_condition
from streamgraph.prebuilt.tool_validator import ValidationNode

__all__ = [
    "InjectedState",
    "InjectedStore",
    "ToolCallStream",
    "ToolCallTransformer",
    "ToolNode",
    "ToolRuntime",
    "ValidationNode",
    "create_react_agent",
    "tools_condition",
]
