"""Reserved keys."""

from __future__ import annotations

from streamgraph._reserved import (
    CONF,
    CONFIG_KEY_CHECKPOINT_ID,
    CONFIG_KEY_CHECKPOINT_MAP,
    CONFIG_KEY_CHECKPOINT_NS,
    CONFIG_KEY_CHECKPOINTER,
    CONFIG_KEY_READ,
    CONFIG_KEY_RUNTIME,
    CONFIG_KEY_SEND,
    CONFIG_KEY_TASK_ID,
    CONFIG_KEY_THREAD_ID,
    ERROR,
    INPUT,
    INTERRUPT,
    NS_END,
    NS_SEP,
    NULL_TASK_ID,
    PREVIOUS,
    PULL,
    PUSH,
    RESUME,
    RETURN,
    TASKS,
)

__all__ = [
    "CONF",  # langmem, langgraph-api, UI helpers
    "CONFIG_KEY_CHECKPOINTER",  # applications that route savers
    "CONFIG_KEY_CHECKPOINT_ID",  # servers of runs
    "CONFIG_KEY_CHECKPOINT_MAP",  # servers of runs
    "CONFIG_KEY_CHECKPOINT_NS",  # servers, temporal's plugin
    "CONFIG_KEY_READ",  # deepagents' file tools, temporal's plugin
    "CONFIG_KEY_RUNTIME",  # langmem's reflection, tests of tools
    "CONFIG_KEY_SEND",  # deepagents' file tools
    "CONFIG_KEY_TASK_ID",  # servers of runs
    "CONFIG_KEY_THREAD_ID",  # servers of runs
    "ERROR",  # LangGraph's public tests, stream handlers
    "INPUT",  # servers of runs
    "INTERRUPT",  # chat services that look for the interrupt in a chunk
    "NS_END",  # stream handlers that take namespaces apart
    "NS_SEP",  # stream handlers that take namespaces apart
    "NULL_TASK_ID",  # servers of runs
    "PREVIOUS",  # servers of runs
    "PULL",  # LangGraph's public tests: the paths of tasks
    "PUSH",  # LangGraph's public tests: the paths of tasks
    "RESUME",  # servers of runs
    "RETURN",  # stream handlers
    "TASKS",  # handoff tools that write `Send`s themselves
]
