"""Information about the current run, for the code of a node."""

from __future__ import annotations

from streamgraph._core.control import RunControl
from streamgraph._langchain.runtime import BaseUser, ExecutionInfo, Runtime, ServerInfo, get_runtime

__all__ = ["DEFAULT_RUNTIME", "BaseUser", "ExecutionInfo", "RunControl", "Runtime", "ServerInfo", "get_runtime"]

DEFAULT_RUNTIME: Runtime[None] = Runtime()
"""A runtime outside of a run: what code that always wants one takes if there is none."""
