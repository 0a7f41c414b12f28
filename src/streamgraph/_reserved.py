"""Reserved keys and separators, letter for letter those of LangGraph: front ends and libraries know them."""

from __future__ import annotations

from typing_extensions import Literal

__all__ = [
    "CONF",
    "CONFIG_KEY_CHECKPOINTER",
    "CONFIG_KEY_CHECKPOINT_ID",
    "CONFIG_KEY_CHECKPOINT_MAP",
    "CONFIG_KEY_CHECKPOINT_NS",
    "CONFIG_KEY_READ",
    "CONFIG_KEY_RUNTIME",
    "CONFIG_KEY_SEND",
    "CONFIG_KEY_TASK_ID",
    "CONFIG_KEY_THREAD_ID",
    "ERROR",
    "INPUT",
    "INTERRUPT",
    "NS_END",
    "NS_SEP",
    "NULL_TASK_ID",
    "PREVIOUS",
    "PULL",
    "PUSH",
    "RESUME",
    "RETURN",
    "TASKS",
]

CONF: Literal["configurable"] = "configurable"
"""The key of a config under which the user's own entries are."""

# Keys of a config's `configurable`.
CONFIG_KEY_READ = "__pregel_read"
"""A function that reads the state in the running task."""

CONFIG_KEY_SEND = "__pregel_send"
"""A function that writes to the state in the running task."""

CONFIG_KEY_RUNTIME = "__pregel_runtime"
"""The `Runtime` of the running task."""

CONFIG_KEY_TASK_ID = "__pregel_task_id"
"""The id of the running task."""

CONFIG_KEY_CHECKPOINTER = "__pregel_checkpointer"
"""The saver that nested graphs inherit."""

CONFIG_KEY_CHECKPOINT_NS = "checkpoint_ns"
"""The namespace of the running task in one string; empty for a root graph."""

CONFIG_KEY_CHECKPOINT_ID = "checkpoint_id"
"""The id of the saved state that a run starts from."""

CONFIG_KEY_CHECKPOINT_MAP = "checkpoint_map"
"""The ids of saved states by namespace."""

CONFIG_KEY_THREAD_ID = "thread_id"
"""The id of the conversation or other sequence of runs that a run belongs to."""

# Keys under which tasks write.
INPUT = "__input__"
INTERRUPT = "__interrupt__"
RESUME = "__resume__"
ERROR = "__error__"
TASKS = "__pregel_tasks"
RETURN = "__return__"
PREVIOUS = "__previous__"

# Kinds of tasks.
PUSH = "__pregel_push"
"""A task made by a `Send`."""

PULL = "__pregel_pull"
"""A task made by an edge."""

# Parts of namespaces.
NS_SEP = "|"
"""Stands between the levels of a namespace in one string."""

NS_END = ":"
"""Stands between a node's name and its task's id in one level of a namespace."""

NULL_TASK_ID = "00000000-0000-0000-0000-000000000000"
"""The id of no task: for writes that no task has made."""
