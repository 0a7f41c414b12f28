"""Public types for annotations and payloads in user code."""

from __future__ import annotations

from typing import Any, Callable, Tuple, Union

from langchain_core.messages import BaseMessage
from langchain_core.messages.tool import ToolOutputMixin
from langchain_core.tools import InjectedToolArg
from pydantic import WithJsonSchema
from typing_extensions import Annotated, Literal

from streamgraph import _types
from streamgraph._interrupting import ainterrupt, interrupt
from streamgraph._interrupts import Interrupt
from streamgraph._policies import CachePolicy, RetryPolicy, TimeoutPolicy, TracePolicy, default_retry_on, omit_payload
from streamgraph._signals import Gap, Heartbeat, Paused, RunFailure, RunningTask, Unstreamed
from streamgraph._snapshots import (
    CacheKey,
    Checkpointer,
    CheckpointPayload,
    CheckpointStreamPart,
    CheckpointTask,
    PregelExecutableTask,
    PregelTask,
    StateSnapshot,
    StateUpdate,
    ensure_valid_checkpointer,
)
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
    PatchesStreamPart,
    RetriesStreamPart,
    RetryPayload,
    Send,
    StateOperation,
    StateT,
    StreamMode,
    TaskPayload,
    TaskResultPayload,
    TasksStreamPart,
    ToolPayload,
    ToolsStreamPart,
    UpdatesStreamPart,
    ValuesStreamPart,
)

__all__ = [
    "All",
    "CacheKey",
    "CachePolicy",
    "CheckpointPayload",
    "CheckpointStreamPart",
    "CheckpointTask",
    "Checkpointer",
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
    "Interrupt",
    "MessageMetadata",
    "MessagesStreamPart",
    "ObjectsStreamPart",
    "Overwrite",
    "PatchesStreamPart",
    "Paused",
    "PregelExecutableTask",
    "PregelTask",
    "RetriesStreamPart",
    "RetryPayload",
    "RetryPolicy",
    "RunFailure",
    "RunningTask",
    "Send",
    "StateOperation",
    "StateSnapshot",
    "StateUpdate",
    "StreamMode",
    "StreamPart",
    "StreamWriter",
    "TaskPayload",
    "TaskResultPayload",
    "TasksStreamPart",
    "TimeoutPolicy",
    "ToolPayload",
    "ToolsStreamPart",
    "TracePolicy",
    "Unstreamed",
    "UpdatesStreamPart",
    "ValuesStreamPart",
    "ainterrupt",
    "default_retry_on",
    "ensure_valid_checkpointer",
    "interrupt",
    "omit_payload",
]

StreamWriter = Annotated[Callable[[Any], None], InjectedToolArg(), WithJsonSchema({})]
"""A function that writes its argument to the stream as `custom` data of the current task.

The annotation hides a tool's parameter of this type from the model.
"""


class MessagesStreamPart(_types._Part):
    """A token or message with its metadata (`version="v2"`)."""

    type: Literal["messages"]
    data: Tuple[BaseMessage, MessageMetadata]


StreamPart = Union[
    DebugStreamPart[StateT],
    ValuesStreamPart[OutputT],
    PatchesStreamPart,
    UpdatesStreamPart,
    CustomStreamPart,
    MessagesStreamPart,
    ObjectsStreamPart,
    ToolsStreamPart,
    RetriesStreamPart,
    TasksStreamPart,
    HeartbeatStreamPart,
    GapStreamPart,
    ErrorStreamPart,
]
"""A chunk of `stream(version="v2")`; the field `type` is its mode.

The parameters are the state and the output, as in LangGraph: `StreamPart[State, Output]`.
"""


class Command(_types.Command[_types.NodeT], ToolOutputMixin):
    """A return value of a node or tool that updates the state and selects the next nodes.

    A tool's result of this type is passed on unchanged; langchain-core would convert other objects to text.

    Args:
        graph: `None` for the node's own graph, `Command.PARENT` for the parent graph.
        update: The writes: a mapping, a state object, or `(key, value)` pairs.
        resume: The answer to a question that a run waits with, or answers by the ids of the questions. Runs cannot be
            saved yet, so a command with an answer is refused where it is used.
        goto: The next node or nodes, as names or `Send`s, in addition to the node's own edges.
    """
