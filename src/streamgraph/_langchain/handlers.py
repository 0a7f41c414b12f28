"""Base class of the callback handlers of a task."""

from __future__ import annotations

from langchain_core.callbacks import BaseCallbackHandler

from streamgraph._langchain.scope import Scope


class TaskHandler(BaseCallbackHandler):
    """Receives the callbacks of one task, but not of tasks in nested runs, which have their own handlers.

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
