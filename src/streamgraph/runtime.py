"""Information about the current run, for the code of a node."""

from __future__ import annotations

from streamgraph._core.control import RunControl
from streamgraph._langchain.runtime import BaseUser, ExecutionInfo, Runtime, ServerInfo, get_runtime

__all__ = ["BaseUser", "ExecutionInfo", "RunControl", "Runtime", "ServerInfo", "get_runtime"]
