"""The stream modes: a table of their properties, and the sets derived from it.

To add a mode, add a row here, its name to `StreamMode` (for static types), code that makes its parts, and a line in the
docs.
"""

from __future__ import annotations

from typing import FrozenSet, NamedTuple, Tuple


class Mode(NamedTuple):
    """The properties of a stream mode.

    Attributes:
        name: Its name, as users write it.
        live: Its parts are made while a task runs, not between steps.
        nested: Parts of nested graphs are streamed even if namespaces were not asked for.
        nearest: Its parts go to the nearest consumer that wants them, and not on to parent runs.
        per_node: Its parts belong to a node, by whose name a filter can leave them out.
        of_models: Its parts are made from callbacks of models, which needs a callback handler.
        of_tools: Its parts are made from callbacks of tools, likewise.
        of_tasks: Its parts are the starts and ends of tasks.
        of_updates: Its parts contain the writes of tasks.
        of_records: Its parts show what is stored of a run that is saved.
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
    of_records: bool = False


MODES: Tuple[Mode, ...] = (
    Mode("values"),
    Mode("patches"),
    Mode("updates", per_node=True, of_updates=True),
    Mode("custom", live=True, nested=True, nearest=True, per_node=True),
    Mode("messages", live=True, nested=True, per_node=True, of_models=True),
    Mode("objects", live=True, nested=True, per_node=True, of_models=True),
    Mode("tools", live=True, per_node=True, of_tools=True),
    Mode("retries", live=True, per_node=True),
    Mode("tasks", per_node=True, of_tasks=True, of_updates=True),
    Mode("debug", per_node=True, of_tasks=True, of_updates=True, of_records=True),
    Mode("checkpoints", of_records=True),
)

RECORD_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.of_records)
LIVE_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.live)
NESTED_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.nested)
NEAREST_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.nearest)
NODE_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.per_node)
MODEL_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.of_models)
LISTENING_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.of_models or mode.of_tools)
TASK_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.of_tasks)
UPDATE_MODES: FrozenSet[str] = frozenset(mode.name for mode in MODES if mode.of_updates)

SIGNAL_MODES: FrozenSet[str] = frozenset(("heartbeat", "gap", "error"))
"""The modes of parts that a stream makes about itself; they cannot be asked for by name."""
