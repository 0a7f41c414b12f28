"""Types that users of a graph name in their own code."""

from __future__ import annotations

from typing import Any, Callable

from langchain_core.tools import InjectedToolArg
from typing_extensions import Annotated

from streamgraph._policies import CachePolicy, RetryPolicy, TimeoutPolicy
from streamgraph._types import (
    Command,
    CustomStreamPart,
    DebugPayload,
    DebugStreamPart,
    GraphOutput,
    MessagesStreamPart,
    Overwrite,
    Send,
    StreamMode,
    StreamPart,
    TaskPayload,
    TasksStreamPart,
    ToolPayload,
    ToolsStreamPart,
    UpdatesStreamPart,
    ValuesStreamPart,
)

__all__ = [
    "CachePolicy",
    "Command",
    "CustomStreamPart",
    "DebugPayload",
    "DebugStreamPart",
    "GraphOutput",
    "MessagesStreamPart",
    "Overwrite",
    "RetryPolicy",
    "Send",
    "StreamMode",
    "StreamPart",
    "StreamWriter",
    "TaskPayload",
    "TasksStreamPart",
    "TimeoutPolicy",
    "ToolPayload",
    "ToolsStreamPart",
    "UpdatesStreamPart",
    "ValuesStreamPart",
]

StreamWriter = Annotated[Callable[[Any], None], InjectedToolArg()]
"""A function that puts its argument into the stream, as `custom` data of the running task.

Marked so that a model does not see a tool's parameter of this type.
"""
