"""What of LangGraph's public surface this package does not have, with the reason: the one list.

`test_surface.py` walks the modules of the installed LangGraph, whichever version it is, and fails on a module, a name,
an attribute or a parameter that this package lacks and that is not here, and on an entry here that is not needed.
"""

from __future__ import annotations

from differential.adapting import OLD

__all__ = ["MISSING"]

_IMPORTED = "LangGraph's module imports it for its own use, and it is there at its own place"

_TYPE_CHECKING = "a constant of the module `typing`, of which LangGraph's module has no `__all__` to leave it out"

_REMOTE = "it is part of the protocol of LangGraph's server, and `RemoteGraph` is what uses it"

_PREGEL = "it belongs to LangGraph's machine, which runs nothing here"

MISSING = {
    # Modules, as "module".
    # Names, as "module:name".
    "langgraph.config:CONF": _IMPORTED,
    "langgraph.config:CONFIG_KEY_RUNTIME": _IMPORTED,
    "langgraph.prebuilt.tool_node:CONF": _IMPORTED,
    "langgraph.prebuilt.tool_node:CONFIG_KEY_READ": _IMPORTED,
    "langgraph.prebuilt.tool_node:CONFIG_KEY_READ_STATE": _IMPORTED,
    "langgraph.prebuilt.tool_node:ContextT": _IMPORTED,
    "langgraph.prebuilt.tool_node:REMOVE_ALL_MESSAGES": _IMPORTED,
    "langgraph.prebuilt.tool_node:StateT": _IMPORTED,
    "langgraph.prebuilt.tool_node:TYPE_CHECKING": _TYPE_CHECKING,
    # Attributes, as "module:class.attribute".
    # Parameters, as "module:callable(parameter)".
    "langgraph.func:task(__func_or_none__)": "it is given by position; its name says that it is private",
    "langgraph.graph.state:CompiledStateGraph(schema_to_mapper)": _PREGEL,
}
"""What is not here -> the reason."""

if OLD:
    _GONE = "LangGraph 1.x has it no more, or only under a private name"
    MISSING.update(
        {
            "langgraph.prebuilt:ToolNode.inject_tool_args": _GONE,
            "langgraph.prebuilt.tool_node:ToolNode.inject_tool_args": _GONE,
            "langgraph.runtime:Runtime(previous)": "LangGraph 1.x has a further field before it, and takes all by name",
        }
    )
