"""What a node can know about the run it is part of."""

from __future__ import annotations

from streamgraph._langchain._runtime import Runtime, get_runtime

__all__ = ["Runtime", "get_runtime"]
