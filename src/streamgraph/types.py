"""Types that users of a graph name in their own code."""

from __future__ import annotations

from typing import Any, Callable, Tuple, Union

from langchain_core.messages import BaseMessage
from langchain_core.messages.tool import ToolOutputMixin
from langchain_core.tools import InjectedToolArg
from pydantic import WithJsonSchema
from typing_extensions import Annotated, Literal

from streamgraph import _types
from streamgraph._policies import CachePolicy, RetryPolicy, TimeoutPolicy
from streamgraph._signals import Gap, Heartbeat, RunFailure, RunningTask, Unstreamed
from streamgraph._types import (
    All,
    CustomStreamPart,
    DebugPayload,
    DebugStreamPart,
    Durability,
    ErrorStreamPart,
    GapStreamPart,
    GraphOutput,
    HeartbeatStreamPart,
    MessageMetadata,
    ObjectsStreamPart,
    OutputT,
    Overwrite,
    Send,
    StateT,
    StreamMode,
    TaskPayload,
    TasksStreamPart,
    ToolPayload,
    ToolsStreamPart,
    UpdatesStreamPart,
    ValuesStreamPart,
)

__all__ = [
    "All",
    "CachePolicy",
    "Command",
    "CustomStreamPart",
    "DebugPayload",
    "DebugStreamPart",
    "Durability",
    "ErrorStreamPart",
    "Gap",
    "GapStreamPart",
    "GraphOutput",
    "Heartbeat",
    "HeartbeatStreamPart",
    "MessageMetadata",
    "MessagesStreamPart",
    "ObjectsStreamPart",
    "Overwrite",
    "RetryPolicy",
    "RunFailure",
    "RunningTask",
    "Send",
    "StreamMode",
    "StreamPart",
    "StreamWriter",
    "TaskPayload",
    "TasksStreamPart",
    "TimeoutPolicy",
    "ToolPayload",
    "ToolsStreamPart",
    "Unstreamed",
    "UpdatesStreamPart",
    "ValuesStreamPart",
]

StreamWriter = Annotated[Callable[[Any], None], InjectedToolArg(), WithJsonSchema({})]
"""A function that puts its argument into the stream, as `custom` data of the running task.

Marked so that a model does not see a tool's parameter of this type.
"""


class MessagesStreamPart(_types._Part):
    """A token or message with its metadata (`version="v2"`)."""

    type: Literal["messages"]
    data: Tuple[BaseMessage, MessageMetadata]


StreamPart = Union[
    DebugStreamPart[StateT],
    ValuesStreamPart[OutputT],
    UpdatesStreamPart,
    CustomStreamPart,
    MessagesStreamPart,
    ObjectsStreamPart,
    ToolsStreamPart,
    TasksStreamPart,
    HeartbeatStreamPart,
    GapStreamPart,
    ErrorStreamPart,
]
"""One chunk of `stream(version="v2")`; tell them apart by `type`.

As in LangGraph its parameters are the state and the output: `StreamPart[State, Output]`.
"""


class Command(_types.Command[_types.NodeT], ToolOutputMixin):
    """A return value of a node or tool that both updates the state and says where to go next.

    As the result of a tool it is handed on as it is, where langchain-core would make text of other objects.

    Args:
        graph: `None` for the graph the node belongs to, `Command.PARENT` for the one around it.
        update: What to write: a mapping, a state object, or `(key, value)` pairs.
        goto: The next node or nodes, as names or `Send`s; taken in addition to the node's own edges.
    """
