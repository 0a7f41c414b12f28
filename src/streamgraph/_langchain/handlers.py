"""Base class of the callback handlers of a task."""

from __future__ import annotations

from sys import modules
from typing import Any, Mapping, Optional

from langchain_core.callbacks import BaseCallbackHandler

from streamgraph._compat.langgraph import PEER
from streamgraph._langchain.peer_tasks import PeerTasks
from streamgraph._langchain.scope import Scope


class TaskHandler(BaseCallbackHandler):
    """Receives the callbacks of one task, but not of tasks in nested runs, which have their own handlers.

    The tasks of a graph of LangGraph have none of ours, so their callbacks arrive here as well.

    Args:
        scope: The task.
    """

    run_inline = True

    # Plain attributes instead of the properties of the base class, because they are asked for at every event.
    ignore_llm = False
    ignore_chat_model = False
    ignore_retriever = True
    ignore_custom_event = True

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._peer_tasks = PeerTasks(scope) if PEER in modules else None

    def _scope_of(self, metadata: Optional[Mapping[str, Any]]) -> Scope:
        """Return the scope of the task that a callback with this metadata comes from."""
        return self._scope if self._peer_tasks is None else self._peer_tasks.scope_of(metadata)
