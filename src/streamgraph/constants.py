"""Names with a fixed meaning in graphs and streams, letter for letter those of LangGraph.

`CONF`, `TASKS` and `CONFIG_KEY_CHECKPOINTER` are here for code that runs LangGraph's graphs for others. `Send` and
`Interrupt` have moved to `streamgraph.types`; here they are found under a warning, and so are further keys that
LangGraph once had here.
"""

from __future__ import annotations

import warnings
from importlib import import_module

from streamgraph import _reserved
from streamgraph._reserved import CONF, CONFIG_KEY_CHECKPOINTER, TASKS
from streamgraph.warnings import LangGraphDeprecatedSinceV10

__all__ = [
    "CONF",
    "CONFIG_KEY_CHECKPOINTER",
    "END",
    "REMOVE_ALL_MESSAGES",
    "START",
    "TAG_HIDDEN",
    "TAG_NOSTREAM",
    "TASKS",
]

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

_MOVED = ("Send", "Interrupt")


def __getattr__(name: str) -> object:
    """Return a name that was here once.

    Args:
        name: The name.

    Raises:
        AttributeError: It never was.
    """
    if name in _MOVED:
        instead = f"Please use 'from streamgraph.types import {name}' instead."
        # At the time of the call: `streamgraph.types` imports this module.
        found: object = getattr(import_module("streamgraph.types"), name)
    elif name in _reserved.__all__:
        instead = "It is a private key: `Runtime`, `get_config` and `get_store` give what lies under such keys."
        found = getattr(_reserved, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"Importing {name} from streamgraph.constants is deprecated. {instead}",
        LangGraphDeprecatedSinceV10,
        stacklevel=2,
    )
    return found
