"""Callback handlers that are told when a run is interrupted, and when a saved one goes on.

`on_interrupt` is called at the end of a run that has asked with `interrupt()`. Runs cannot be saved yet, so that none
goes on, and `on_resume` is not called.
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
