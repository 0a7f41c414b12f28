"""The stream modes: one table that says what each of them is, and the sets that follow from it.

A new mode is a row here, a name in `StreamMode` (for static types), whatever makes its parts, and a line in the docs.
"""

from __future__ import annotations

from typing import FrozenSet, NamedTuple, Tuple


class Mode(NamedTuple):
    """What the engine has to know of a stream mode.

    Attributes:
        name: Its name, as users write it.
        live: Its parts are made while a task runs, not between steps.
        nested: It shows nested graphs although nobody has asked for namespaces.
        nearest: Its parts go to the nearest consumer that wants them, and not to those around it.
        per_node: Its parts belong to a node, by whose name a filter can leave them out.
        of_models: Its parts are made from what models say, so that a callback handler has to listen to them.
        of_tools: Its parts are made from what tools do, likewise.
        of_tasks: It shows when a task starts and how it ends.
        of_updates: It shows what a task has written.
    """

    name: str
    live: bool = False
    nested: bool = False
    nearest: bool = False
    per_node: bool = False
    of_models: bool = False
    of_tools: bool = False
    of_tasks: bool = False
    of_updates: bool = False


MODES: Tuple[Mode, ...] = (
    Mode("values"),
    Mode("updates", per_node=True, of_updates=True),
    Mode("custom", live=True, nested=True, nearest=True, per_node=True),
    Mode("messages", live=True, nested=True, per_node=True, of_models=True),
    Mode("objects", live=True, nested=True, per_node=True, of_models=True),
    Mode("tools", live=True, per_node=True, of_tools=True),
    Mode("tasks", per_node=True, of_tasks=True, of_updates=True),
    Mode("debug", per_node=True, of_tasks=True, of_updates=True),
    Mode("checkpoints"),
)

LIVE_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.live)
NESTED_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.nested)
NEAREST_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.nearest)
NODE_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.per_node)
MODEL_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.of_models)
LISTENING_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.of_models or mode.of_tools)
TASK_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.of_tasks)
UPDATE_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.of_updates)

SIGNAL_MODES: FrozenSet[str] = frozenset(("heartbeat", "gap", "error"))
"""The modes of what a stream says of itself; nobody asks for them by name."""
