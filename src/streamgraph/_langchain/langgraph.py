"""Support for code written for LangGraph inside our nodes: tools and whole graphs.

Such a tool calls LangGraph's `get_stream_writer`, which looks for a runtime in the config. If LangGraph is loaded, the
config contains such a runtime, and its writer belongs to the current task. Nothing is imported: without LangGraph the
only cost is a lookup in `sys.modules`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Dict

from streamgraph._langchain.scope import current_writer

_RUNTIME_KEY = "__pregel_runtime"

_runtimes: Dict[ModuleType, object] = {}


def peer_configurable() -> Dict[str, object]:
    """Return the `configurable` entries that LangGraph's functions read, or nothing if LangGraph is not loaded."""
    module = sys.modules.get("langgraph.runtime")
    if module is None:
        return {}
    if module not in _runtimes:
        _runtimes[module] = module.Runtime(stream_writer=_write)
    return {_RUNTIME_KEY: _runtimes[module]}


def _write(value: object) -> None:
    current_writer()(value)
