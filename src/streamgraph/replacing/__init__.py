"""Libraries that import `langgraph` by name, such as `langchain.agents`, run on this package after one call.

`replace_langgraph()` is called once, before those libraries are imported. From then on `langgraph.graph` is the module
`streamgraph.graph`, the same object under a second name, and so on for every module of LangGraph. What the packages
`langgraph-checkpoint*` put below `langgraph.` (savers, stores and caches) stays theirs. Nothing else is touched, and
`restore_langgraph()` takes it all back.
"""

from __future__ import annotations

from streamgraph.replacing._errors import MissingModuleError, ReplacedTooLateError
from streamgraph.replacing._replacement import Replacement, replace_langgraph, restore_langgraph

__all__ = ["MissingModuleError", "ReplacedTooLateError", "Replacement", "replace_langgraph", "restore_langgraph"]
