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

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
