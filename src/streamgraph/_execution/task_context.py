"""The context in which the code of a task runs: its scope, its taps and its config."""

from __future__ import annotations

from sys import modules
from typing import List, Optional

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.runnables import RunnableConfig

from streamgraph._compat.langgraph import PEER
from streamgraph._langchain.activity import ActivityHandler
from streamgraph._langchain.configs import enter_config, task_config
from streamgraph._langchain.peer_tasks import add_peer_entries
from streamgraph._langchain.scope import Scope, enter_scope
from streamgraph._langchain.tool_events import ToolTap, enter_tool_tap
from streamgraph._messages.backpressure_tap import tap_of
from streamgraph._messages.tap import enter_tap
from streamgraph._messages.tracker import MessageTracker


def enter_task(
    scope: Scope,
    callbacks: BaseCallbackManager,
    *,
    traced: bool,
    listens: bool,
    messages: Optional[MessageTracker],
) -> RunnableConfig:
    """Set the scope, taps and config of a task in the current context, and return the config.

    Args:
        scope: The task.
        callbacks: The callback manager for what runs in it.
        traced: The run has callback handlers.
        listens: The taps of the context are replaced, as a subscriber wants callbacks or a tap is inherited.
        messages: The message tracker, if callbacks of models are wanted.
    """
    handlers: List[BaseCallbackHandler] = [ActivityHandler(scope)] if scope.watches else []
    if listens:
        tap = tap_of(scope, messages) if messages is not None else None
        tools = ToolTap(scope) if "tools" in scope.wanted else None
        enter_tap(tap)
        enter_tool_tap(tools)
        handlers += filter(None, (tap, tools))
    metadata, tags = scope.task.node.metadata, scope.task.node.tags
    if handlers or metadata or tags:
        # A config given to a call in the node replaces the node's config, but not what the callback manager carries.
        callbacks = callbacks.copy()
        callbacks.add_metadata(dict(metadata), inherit=True)
        callbacks.add_tags(list(tags), inherit=True)
        for handler in handlers:
            callbacks.add_handler(handler, inherit=True)
    config = task_config(scope, callbacks)
    if PEER in modules:
        add_peer_entries(config, scope)
    enter_scope(scope)
    enter_config(config, traced)
    return config
