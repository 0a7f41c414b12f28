"""What the callback handlers of a task have in common."""

from __future__ import annotations

from langchain_core.callbacks import BaseCallbackHandler

from streamgraph._langchain.scope import Scope


class TaskHandler(BaseCallbackHandler):
    """Listens to what happens in one task, and not in the tasks of graphs that run in it: they have their own.

    Args:
        scope: The task.
    """

    run_inline = True

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
