"""Accessors for the config, store and stream writer of the current task."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from streamgraph._langchain.peer_tasks import current_place
from streamgraph._langchain.scope import no_writer
from streamgraph.types import StreamWriter

__all__ = ["get_config", "get_store", "get_stream_writer"]


def get_stream_writer() -> StreamWriter:
    """Return a function that writes its argument to the stream as `custom` data of the current task.

    It works in nodes, branch functions, tools and the code that they call, sync and async. In async code on Python 3.9
    and 3.10 it works as well, where LangGraph's raises (langgraph #5927). The returned function stays bound to the
    current task and may be called from any thread. Outside of a run, and if no consumer wants the `custom` mode, it
    does nothing.
    """
    place = current_place()
    return no_writer if place is None else place.write


def get_config() -> RunnableConfig:
    """Return the config of the current node.

    Raises:
        RuntimeError: The function is called outside of a run.
    """
    config = var_child_runnable_config.get()
    if config is None:
        raise RuntimeError("Called get_config outside of a runnable context; call it in a node, branch or tool.")
    return config


def get_store() -> Any:
    """Return the store given to `compile`, or `None` if there is none.

    Raises:
        RuntimeError: The function is called outside of a graph run.
    """
    scope = current_place()
    if scope is None:
        raise RuntimeError("get_store() was called outside of a graph run; call it in a node, branch or tool.")
    return scope.run.store
