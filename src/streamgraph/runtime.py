"""What a node can know about the run it is part of."""

from __future__ import annotations

from streamgraph._core._control import RunControl
from streamgraph._langchain._runtime import ExecutionInfo, Runtime, get_runtime

__all__ = ["ExecutionInfo", "RunControl", "Runtime", "get_runtime"]
