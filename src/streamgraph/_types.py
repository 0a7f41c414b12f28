"""Plain data that users of a graph name in their own code; `streamgraph.types` is its public face."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Dict, Generic, Hashable, List, Mapping, Optional, Sequence, Tuple, Union

from typing_extensions import Literal, TypedDict, TypeVar

from streamgraph._policies import Timeout, timeout_policy
from streamgraph._signals import Gap, Heartbeat, RunFailure

__all__ = [
    "All",
    "Command",
    "CustomStreamPart",
    "DebugPayload",
    "DebugStreamPart",
    "Durability",
    "ErrorStreamPart",
    "GapStreamPart",
    "GraphOutput",
    "HeartbeatStreamPart",
    "MessageMetadata",
    "ObjectsStreamPart",
    "Overwrite",
    "Send",
    "StreamMode",
    "TaskPayload",
    "TasksStreamPart",
    "ToolPayload",
    "ToolsStreamPart",
    "UpdatesStreamPart",
    "ValuesStreamPart",
]

StreamMode = Literal["values", "updates", "custom", "messages", "objects", "tools", "tasks", "debug", "checkpoints"]
"""What a stream yields: the state after each step, each node's update, the user's data, tokens, structured output as it
grows, tool calls or tasks.

`checkpoints` yields nothing yet: as in LangGraph it takes a checkpointer, and there is none to give.
"""

Durability = Literal["sync", "async", "exit"]
"""When a run is saved: with each step, beside the next one, or at its end. Nothing is saved without a checkpointer."""

All = Literal["*"]
"""Stands for all nodes."""

MessageMetadata = Dict[str, Any]
"""Where a message comes from: `langgraph_node`, `langgraph_step`, `tags`, `run_id` and the metadata of the run and the
model, whose keys are the user's own.
"""

NodeT = TypeVar("NodeT", bound=Hashable, default=str)
StateT = TypeVar("StateT", default=Any)
OutputT = TypeVar("OutputT", default=Any)


@dataclass(frozen=True)
class Send:
    """A task to run in the next step: a node, with an input of its own instead of the state.

    Args:
        node: The node to run.
        arg: What the node gets in place of the state.
        timeout: How long it may take, in place of the node's own limit: seconds, a `timedelta` or a `TimeoutPolicy`.
    """

    node: str
    arg: Any
    timeout: Optional[Timeout] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "timeout", timeout_policy(self.timeout))

    def __repr__(self) -> str:
        limit = "" if self.timeout is None else f", timeout={self.timeout!r}"
        return f"Send(node={self.node!r}, arg={self.arg!r}{limit})"


@dataclass(frozen=True)
class Command(Generic[NodeT]):
    """A node's return value that both updates the state and says where to go next.

    Args:
        graph: `None` for the graph the node belongs to, `Command.PARENT` for the one around it.
        update: What to write: a mapping, a state object, or `(key, value)` pairs.
        goto: The next node or nodes, as names or `Send`s; taken in addition to the node's own edges.
    """

    graph: Optional[str] = None
    update: Any = None
    goto: Union[Send, Sequence[Union[Send, NodeT]], NodeT] = ()

    PARENT = "__parent__"

    def __repr__(self) -> str:
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return f"Command({', '.join(f'{name}={value!r}' for name, value in given.items() if value or value == 0)})"


@dataclass(frozen=True)
class Overwrite:
    """A written value that replaces what a key holds instead of going through its reducer.

    Args:
        value: The new value.
    """

    value: Any


@dataclass(frozen=True)
class GraphOutput(Generic[OutputT]):
    """What `invoke(version="v2")` returns.

    Attributes:
        value: The final state, as an instance of the output schema where that is a dataclass or a pydantic model.
        interrupts: What the run waits for; empty while nothing can interrupt a run.
    """

    value: OutputT
    interrupts: Tuple[Any, ...] = field(default=())


class _Part(TypedDict):
    ns: Tuple[str, ...]


class ValuesStreamPart(_Part, Generic[OutputT]):
    """The state after a step (`version="v2"`)."""

    type: Literal["values"]
    data: OutputT
    interrupts: Tuple[Any, ...]


class UpdatesStreamPart(_Part):
    """What one node wrote, under its name (`version="v2"`)."""

    type: Literal["updates"]
    data: Dict[str, Any]


class CustomStreamPart(_Part):
    """What a node or tool handed to its stream writer (`version="v2"`)."""

    type: Literal["custom"]
    data: Any


class ObjectsStreamPart(_Part):
    """As much of a model's structured output as there is, with its metadata (`version="v2"`)."""

    type: Literal["objects"]
    data: Tuple[Any, MessageMetadata]


class TaskPayload(TypedDict, total=False):
    """A task that starts (`input`, `triggers`) or has ended (`result`, `error`, `interrupts`)."""

    id: str
    name: str
    input: Any
    triggers: Sequence[str]
    metadata: Mapping[str, Any]
    error: Optional[BaseException]
    result: Dict[str, Any]
    interrupts: List[Any]


class ToolPayload(TypedDict, total=False):
    """A tool call that starts (`tool_name`, `input`), reports (`delta`), ends (`output`) or fails (`message`)."""

    event: Literal["tool-started", "tool-output-delta", "tool-finished", "tool-error"]
    tool_call_id: str
    tool_name: str
    input: Any
    delta: Any
    output: Any
    message: str


class ToolsStreamPart(_Part):
    """A tool call that starts, reports, ends or fails (`version="v2"`)."""

    type: Literal["tools"]
    data: ToolPayload


class TasksStreamPart(_Part):
    """A task that starts or has ended (`version="v2"`)."""

    type: Literal["tasks"]
    data: TaskPayload


class DebugPayload(TypedDict):
    """A task event with its step and time."""

    step: int
    timestamp: str
    type: Literal["task", "task_result"]
    payload: TaskPayload


class DebugStreamPart(_Part, Generic[StateT]):
    """A task event with its step and time (`version="v2"`)."""

    type: Literal["debug"]
    data: DebugPayload


class HeartbeatStreamPart(_Part):
    """Nothing has happened for a while (`version="v2"`, with `heartbeat=`)."""

    type: Literal["heartbeat"]
    data: Heartbeat


class GapStreamPart(_Part):
    """Chunks were dropped here (`version="v2"`, with `overflow="drop_oldest"`)."""

    type: Literal["gap"]
    data: Gap


class ErrorStreamPart(_Part):
    """The run has failed, and the exception is raised next (`version="v2"`)."""

    type: Literal["error"]
    data: RunFailure
