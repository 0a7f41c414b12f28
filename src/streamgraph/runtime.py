"""What a node can know about the run it is part of."""

from __future__ import annotations

from streamgraph._core.control import RunControl
from streamgraph._langchain.runtime import ExecutionInfo, Runtime, get_runtime

__all__ = ["ExecutionInfo", "RunControl", "Runtime", "get_runtime"]
