"""Callback handlers that are told when a run is interrupted, and when a saved one goes on.

`on_interrupt` is called at the end of a run that has asked with `interrupt()` or has met a breakpoint, once for the
whole run. `on_resume` is called when a saved run goes on, for its graph and for each nested graph that goes on in it.
"""

from streamgraph._langchain.lifecycle import (
    GraphCallbackHandler,
    GraphInterruptEvent,
    GraphLifecycleEvent,
    GraphLifecycleStatus,
    GraphResumeEvent,
    get_async_graph_callback_manager_for_config,
    get_sync_graph_callback_manager_for_config,
)

__all__ = [
    "GraphCallbackHandler",
    "GraphInterruptEvent",
    "GraphLifecycleEvent",
    "GraphLifecycleStatus",
    "GraphResumeEvent",
    "get_async_graph_callback_manager_for_config",
    "get_sync_graph_callback_manager_for_config",
]
