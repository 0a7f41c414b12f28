"""Names with a fixed meaning in graphs and streams, letter for letter those of LangGraph."""

from __future__ import annotations

__all__ = ["END", "REMOVE_ALL_MESSAGES", "START", "TAG_HIDDEN", "TAG_NOSTREAM"]

START = "__start__"
"""The virtual node a run begins at: edges from it name the entry points."""

END = "__end__"
"""The virtual node a run ends at; it never runs and is no target of a `Send`."""

REMOVE_ALL_MESSAGES = "__remove_all__"
"""The id of a `RemoveMessage` that drops everything before it."""

TAG_NOSTREAM = "nostream"
"""Tag that hides a model call from the `messages` mode: its tokens and its finished message."""

TAG_HIDDEN = "langsmith:hidden"
"""Tag that hides a run from traces."""
