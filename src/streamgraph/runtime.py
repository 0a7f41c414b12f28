"""Information about the current run, for the code of a node."""

from __future__ import annotations

from streamgraph._core.control import RunControl
from streamgraph._langchain.runtime import ExecutionInfo, Runtime, get_runtime

__all__ = ["ExecutionInfo", "RunControl", "Runtime", "get_runtime"]
