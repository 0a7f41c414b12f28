"""Code written for LangGraph that runs inside our nodes: tools, and whole graphs.

Such a tool asks LangGraph's `get_stream_writer` for a writer, which looks for a runtime in the config. Where
the user has loaded LangGraph, that runtime is there, and its writer is the one of the task it is used in.
Nothing is imported: who does not use LangGraph pays for a look into `sys.modules`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Dict

from streamgraph._langchain.scope import current_writer

_RUNTIME_KEY = "__pregel_runtime"

_runtimes: Dict[ModuleType, object] = {}


def peer_configurable() -> Dict[str, object]:
    """Return what LangGraph's own functions look for in `configurable`, or nothing if it is not loaded."""
    module = sys.modules.get("langgraph.runtime")
    if module is None:
        return {}
    if module not in _runtimes:
        _runtimes[module] = module.Runtime(stream_writer=_write)
    return {_RUNTIME_KEY: _runtimes[module]}


def _write(value: object) -> None:
    current_writer()(value)
