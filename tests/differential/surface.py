"""What of LangGraph's public surface this package does not have, with the reason: the one list.

`test_surface.py` walks the modules of the installed LangGraph, whichever version it is, and fails on a module, a name,
an attribute or a parameter that this package lacks and that is not here, and on an entry here that is not needed.
"""

from __future__ import annotations

from differential.adapting import OLD

__all__ = ["MISSING"]

_IMPORTED = "LangGraph's module imports it for its own use, and it is there at its own place"

_REMOTE = "it talks to LangGraph's server; the class is here for `isinstance`, and LangGraph's own works as a node"

_PREGEL = "it belongs to LangGraph's machine, which runs nothing here"

_ATTACH = "a compiled graph does not change: nodes and edges are added to the builder, which is compiled again"

MISSING = {
    # Modules, as "module".
    "langgraph.pregel.debug": "it prints what LangGraph's machine does; `compile(debug=True)` prints a run here",
    # Names, as "module:name"; with ".*", what a class has.
    "langgraph.pregel.remote:RemoteGraph.*": _REMOTE,
    "langgraph.config:CONF": _IMPORTED,
    "langgraph.config:CONFIG_KEY_RUNTIME": _IMPORTED,
    "langgraph.prebuilt.tool_node:CONF": _IMPORTED,
    "langgraph.prebuilt.tool_node:CONFIG_KEY_READ": _IMPORTED,
    "langgraph.prebuilt.tool_node:CONFIG_KEY_READ_STATE": _IMPORTED,
    "langgraph.prebuilt.tool_node:ContextT": _IMPORTED,
    "langgraph.prebuilt.tool_node:REMOVE_ALL_MESSAGES": _IMPORTED,
    "langgraph.prebuilt.tool_node:StateT": _IMPORTED,
    # Attributes, as "module:class.attribute".
    "langgraph.graph.state:CompiledStateGraph.attach_branch": _ATTACH,
    "langgraph.graph.state:CompiledStateGraph.attach_edge": _ATTACH,
    "langgraph.graph.state:CompiledStateGraph.attach_node": _ATTACH,
    "langgraph.graph.state:CompiledStateGraph.schema_to_mapper": _PREGEL,
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
