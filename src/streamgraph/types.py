"""Types that users of a graph name in their own code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Generic, Hashable, List, Mapping, Optional, Sequence, Tuple, Union

from typing_extensions import Literal, TypedDict, TypeVar

__all__ = [
    "Command",
    "CustomStreamPart",
    "DebugStreamPart",
    "GraphOutput",
    "MessagesStreamPart",
    "Overwrite",
    "Send",
    "StreamMode",
    "StreamPart",
    "StreamWriter",
    "TasksStreamPart",
    "UpdatesStreamPart",
    "ValuesStreamPart",
]

StreamMode = Literal["values", "updates", "custom", "messages", "tasks", "debug", "checkpoints"]
"""What a stream yields: the state after each step, each node's update, the user's own data, tokens, or task events.

`checkpoints` yields nothing yet: as in LangGraph it takes a checkpointer, and there is none to give.
"""

StreamWriter = Callable[[Any], None]
"""A function that puts its argument into the stream, as `custom` data of the running task."""

NodeT = TypeVar("NodeT", bound=Hashable, default=str)


@dataclass(frozen=True)
class Send:
    """A task to run in the next step: a node, with an input of its own instead of the state.

    Args:
        node: The node to run.
        arg: What the node gets in place of the state.
    """

    node: str
    arg: Any


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


@dataclass(frozen=True)
class Overwrite:
    """A written value that replaces what a key holds instead of going through its reducer.

    Args:
        value: The new value.
    """

    value: Any


@dataclass(frozen=True)
class GraphOutput:
    """What `invoke(version="v2")` returns.

    Attributes:
        value: The final state, as an instance of the output schema where that is a dataclass or a pydantic model.
        interrupts: What the run waits for; empty while nothing can interrupt a run.
    """

    value: Any
    interrupts: Tuple[Any, ...] = field(default=())


class _Part(TypedDict):
    ns: Tuple[str, ...]


class ValuesStreamPart(_Part):
    """The state after a step (`version="v2"`)."""

    type: Literal["values"]
    data: Any
    interrupts: Tuple[Any, ...]


class UpdatesStreamPart(_Part):
    """What one node wrote, under its name (`version="v2"`)."""

    type: Literal["updates"]
    data: Dict[str, Any]


class CustomStreamPart(_Part):
    """What a node or tool handed to its stream writer (`version="v2"`)."""

    type: Literal["custom"]
    data: Any


class MessagesStreamPart(_Part):
    """A token or message with its metadata (`version="v2"`)."""

    type: Literal["messages"]
    data: Tuple[Any, Dict[str, Any]]


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


class DebugStreamPart(_Part):
    """A task event with its step and time (`version="v2"`)."""

    type: Literal["debug"]
    data: DebugPayload


StreamPart = Union[
    ValuesStreamPart, UpdatesStreamPart, CustomStreamPart, MessagesStreamPart, TasksStreamPart, DebugStreamPart
]
"""One chunk of `stream(version="v2")`; tell them apart by `type`."""
