"""Public data types without a LangChain dependency; re-exported by `streamgraph.types`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, fields
from typing import Any, Dict, Generic, Hashable, List, Mapping, Optional, Sequence, Tuple, Union

from typing_extensions import Literal, NotRequired, TypedDict, TypeVar

from streamgraph._policies import Timeout, timeout_policy
from streamgraph._reserved import INTERRUPT
from streamgraph._signals import Gap, Heartbeat, RunFailure
from streamgraph.warnings import LangGraphDeprecatedSinceV11

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
    "PatchesStreamPart",
    "RetriesStreamPart",
    "RetryPayload",
    "Send",
    "StateOperation",
    "Storage",
    "StreamMode",
    "TaskPayload",
    "TaskResultPayload",
    "TasksStreamPart",
    "ToolPayload",
    "ToolsStreamPart",
    "UpdatesStreamPart",
    "ValuesStreamPart",
]

StreamMode = Literal[
    "values",
    "patches",
    "updates",
    "custom",
    "messages",
    "objects",
    "tools",
    "retries",
    "tasks",
    "debug",
    "checkpoints",
]
"""Kind of chunk that a stream yields.

State after each step, what each step changes in it, node updates, custom data, tokens, partial structured output, tool
calls, attempts after which a node is tried again, or tasks. `checkpoints` yields what is stored of a run that is saved;
of other runs it yields nothing.
"""

Durability = Literal["sync", "async", "exit"]
"""When a run is saved: with each step, concurrently with the next step, or at exit. Ignored without a checkpointer."""

Storage = Literal["full", "delta"]
"""How keys with a reducer are stored: as their values, or as what is written to them, and as values now and then."""

MultitaskStrategy = Literal["reject", "enqueue"]
"""What becomes of a run on a thread that has a run already: an error, or it waits until the other one is over."""

All = Literal["*"]
"""Stands for all nodes."""

MessageMetadata = Dict[str, Any]
"""Metadata of a message.

`langgraph_node`, `langgraph_step`, `tags` and `run_id`, and the metadata of the run and the model, which may have any
keys.
"""

NodeT = TypeVar("NodeT", bound=Hashable, default=str)
StateT = TypeVar("StateT", default=Any)
OutputT = TypeVar("OutputT", default=Any)


@dataclass(frozen=True)
class Send:
    """A task for the next step: a node with its own input instead of the state.

    Args:
        node: The name of the node to run.
        arg: The node's input.
        timeout: The limit of one attempt, instead of the node's own: seconds, a `timedelta` or a `TimeoutPolicy`.
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
    """A node's return value that updates the state and selects the next nodes.

    Args:
        graph: `None` for the node's own graph, `Command.PARENT` for the parent graph.
        update: The writes: a mapping, a state object, or `(key, value)` pairs.
        resume: The answer to a question that a run waits with, or answers by the ids of the questions. Runs cannot be
            saved yet, so a command with an answer is refused where it is used.
        goto: The next node or nodes, as names or `Send`s, in addition to the node's own edges.
    """

    graph: Optional[str] = None
    update: Any = None
    resume: Any = None
    goto: Union[Send, Sequence[Union[Send, NodeT]], NodeT] = ()

    PARENT = "__parent__"

    def __repr__(self) -> str:
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return f"Command({', '.join(f'{name}={value!r}' for name, value in given.items() if value or value == 0)})"


@dataclass(frozen=True)
class Overwrite:
    """A written value that replaces the value of a key without going through its reducer.

    Args:
        value: The new value.
        type: Always `"__overwrite__"`: tells that this is an `Overwrite` after it was sent as JSON.
    """

    value: Any
    type: Literal["__overwrite__"] = "__overwrite__"


@dataclass(frozen=True)
class GraphOutput(Generic[OutputT]):
    """Result of `invoke(version="v2")`.

    Attributes:
        value: The final state, as an instance of the output schema if that is a dataclass or a pydantic model.
        interrupts: The questions that the run has ended with.

    As in LangGraph, code from before version 2 may read it like the mapping that `invoke` returned then:
    `result["key"]` and `"key" in result` give a `LangGraphDeprecatedSinceV11` warning.
    """

    value: OutputT
    interrupts: Tuple[Any, ...] = field(default=())

    def __getitem__(self, key: str) -> Any:
        _warn_of_mapping("result[key]")
        if key == INTERRUPT:
            return self.interrupts
        if isinstance(self.value, Mapping):
            return self.value[key]
        try:
            return getattr(self.value, key)
        except AttributeError:
            raise KeyError(key) from None

    def __contains__(self, key: object) -> bool:
        _warn_of_mapping("key in result")
        if key == INTERRUPT:
            return bool(self.interrupts)
        if isinstance(self.value, Mapping):
            return key in self.value
        return isinstance(key, str) and hasattr(self.value, key)


def _warn_of_mapping(how: str) -> None:
    warnings.warn(
        f"Reading a GraphOutput with `{how}` is deprecated. Use `result.value`, or `result.interrupts` for interrupts.",
        LangGraphDeprecatedSinceV11,
        stacklevel=3,
    )


class _Part(TypedDict):
    ns: Tuple[str, ...]


class ValuesStreamPart(_Part, Generic[OutputT]):
    """The state after a step (`version="v2"`)."""

    type: Literal["values"]
    data: OutputT
    interrupts: Tuple[Any, ...]


class StateOperation(TypedDict):
    """One operation of a JSON patch of the state (RFC 6902).

    Attributes:
        op: What to do at `path`.
        path: A JSON pointer: a key of the state, and a place in it; `""` for the whole state.
        value: The new value, an object as in `values`; not there for `"remove"`.
    """

    op: Literal["add", "replace", "remove"]
    path: str
    value: NotRequired[Any]


class PatchesStreamPart(_Part):
    """What a step has changed in the state, as a JSON patch (`version="v2"`)."""

    type: Literal["patches"]
    data: List[StateOperation]


class UpdatesStreamPart(_Part):
    """The writes of one node, under its name (`version="v2"`)."""

    type: Literal["updates"]
    data: Dict[str, Any]


class CustomStreamPart(_Part):
    """A value that a node or tool passed to its stream writer (`version="v2"`)."""

    type: Literal["custom"]
    data: Any


class ObjectsStreamPart(_Part):
    """The structured output of a model so far, with its metadata (`version="v2"`)."""

    type: Literal["objects"]
    data: Tuple[Any, MessageMetadata]


class TaskPayload(TypedDict, total=False):
    """Start (`input`, `triggers`) or end (`result`, `error`, `interrupts`) of a task."""

    id: str
    name: str
    input: Any
    triggers: Sequence[str]
    metadata: Mapping[str, Any]
    error: Optional[BaseException]
    result: Dict[str, Any]
    interrupts: List[Any]


class TaskResultPayload(TypedDict):
    """End of a task: what a `TaskPayload` holds then."""

    id: str
    name: str
    error: Optional[BaseException]
    interrupts: List[Any]
    result: Dict[str, Any]


class ToolPayload(TypedDict, total=False):
    """Start (`tool_name`, `input`), progress (`delta`), end (`output`) or failure (`message`) of a tool call."""

    event: Literal["tool-started", "tool-output-delta", "tool-finished", "tool-error"]
    tool_call_id: str
    tool_name: str
    input: Any
    delta: Any
    output: Any
    message: str


class ToolsStreamPart(_Part):
    """Start, progress, end or failure of a tool call (`version="v2"`)."""

    type: Literal["tools"]
    data: ToolPayload


class RetryPayload(TypedDict):
    """A failed attempt of a task (`id`) of a node (`name`), after which it is tried again.

    `attempt` is the number of the attempt, from 1; `error` what it has failed with; `pause` the seconds until the next
    one begins.
    """

    id: str
    name: str
    attempt: int
    error: BaseException
    pause: float


class RetriesStreamPart(_Part):
    """An attempt of a task has failed, and another one follows (`version="v2"`)."""

    type: Literal["retries"]
    data: RetryPayload


class TasksStreamPart(_Part):
    """Start or end of a task (`version="v2"`)."""

    type: Literal["tasks"]
    data: TaskPayload


class DebugPayload(TypedDict, Generic[StateT]):
    """A task event with its step and time."""

    step: int
    timestamp: str
    type: Literal["task", "task_result"]
    payload: TaskPayload


class DebugStreamPart(_Part, Generic[StateT]):
    """A task event with its step and time (`version="v2"`)."""

    type: Literal["debug"]
    data: DebugPayload[StateT]


class HeartbeatStreamPart(_Part):
    """Sent after a period without a chunk (`version="v2"`, with `heartbeat=`)."""

    type: Literal["heartbeat"]
    data: Heartbeat


class GapStreamPart(_Part):
    """Marks a place where chunks were dropped (`version="v2"`, with `overflow="drop_oldest"`)."""

    type: Literal["gap"]
    data: Gap


class ErrorStreamPart(_Part):
    """The failure of the run; the stream raises the exception next (`version="v2"`)."""

    type: Literal["error"]
    data: RunFailure
