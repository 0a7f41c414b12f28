"""Saved states as data: snapshots, their tasks and updates, and what `checkpoints` streams; and what a saver is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Deque, Dict, Generic, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from langchain_core.runnables import Runnable, RunnableConfig
from typing_extensions import Literal, NotRequired, Protocol, TypedDict, TypeVar, runtime_checkable

from streamgraph._interrupts import Interrupt
from streamgraph._policies import RetryPolicy, TimeoutPolicy
from streamgraph._types import _Part

StateT = TypeVar("StateT", default=Any)

AnyRunnable = Runnable[Any, Any]

TaskPath = Tuple[Union[str, int, Tuple[object, ...]], ...]
"""Where a task comes from: `("__pregel_pull", node)` for an edge, `("__pregel_push", index)` for a `Send`."""


class StateUpdate(NamedTuple):
    """One update of a saved state, for `bulk_update_state`.

    Attributes:
        values: The writes; `None` for none.
        as_node: The node that they are from.
        task_id: The id of that node's task.
    """

    values: Optional[Dict[str, object]]
    as_node: Optional[str] = None
    task_id: Optional[str] = None


class PregelTask(NamedTuple):
    """A task of a saved step.

    Attributes:
        id: Its id.
        name: Its node.
        path: Where it comes from.
        error: What it failed with.
        interrupts: The questions that it waits with.
        state: The state of the graph that runs in it, or the config to get that state with.
        result: What it has written, if it is done.
    """

    id: str
    name: str
    path: TaskPath
    error: Optional[Exception] = None
    interrupts: Tuple[Interrupt, ...] = ()
    state: Union[RunnableConfig, StateSnapshot, None] = None
    result: object = None


class StateSnapshot(NamedTuple):
    """The state of a run at the beginning of a step.

    Attributes:
        values: The values of the state.
        next: The nodes that are due.
        config: The config that the snapshot was read with.
        metadata: What was saved with it, such as the number of the step.
        created_at: When it was saved, as ISO 8601 text.
        parent_config: The config to read the snapshot before with, if there is one.
        tasks: The tasks of the step; a task that was tried may have an error.
        interrupts: The questions that the step waits with.
    """

    values: Any
    next: Tuple[str, ...]
    config: RunnableConfig
    metadata: Optional[Mapping[str, object]]
    created_at: Optional[str]
    parent_config: Optional[RunnableConfig]
    tasks: Tuple[PregelTask, ...]
    interrupts: Tuple[Interrupt, ...]


class CacheKey(NamedTuple):
    """Where the result of a task is kept.

    Attributes:
        ns: The namespace in the cache.
        key: The key there.
        ttl: Seconds after which it expires; `None` for never.
    """

    ns: Tuple[str, ...]
    key: str
    ttl: Optional[int]


@dataclass(frozen=True)
class PregelExecutableTask:
    """A task together with what runs it, as code that executes LangGraph's tasks elsewhere knows it.

    Attributes:
        name: Its node.
        input: Its input.
        proc: What runs.
        writes: Takes what it writes.
        config: Its config.
        triggers: What it runs for.
        retry_policy: When it is tried again.
        cache_key: Where its result is kept.
        id: Its id.
        path: Where it comes from.
        writers: What turns its result into writes.
        subgraphs: The graphs that run in it.
        timeout: The limit of one attempt.
    """

    name: str
    input: object
    proc: AnyRunnable
    writes: Deque[Tuple[str, object]]
    config: RunnableConfig
    triggers: Sequence[str]
    retry_policy: Sequence[RetryPolicy]
    cache_key: Optional[CacheKey]
    id: str
    path: TaskPath
    writers: Sequence[AnyRunnable] = ()
    subgraphs: Sequence[AnyRunnable] = ()
    timeout: Optional[TimeoutPolicy] = None


class CheckpointTask(TypedDict):
    """A task in a `CheckpointPayload`; `error` is there if it has failed, `result` if it is done."""

    id: str
    name: str
    error: NotRequired[str]
    result: NotRequired[object]
    interrupts: NotRequired[List[Dict[str, object]]]
    state: Union[StateSnapshot, RunnableConfig, None]


class CheckpointPayload(TypedDict, Generic[StateT]):
    """A state that was saved."""

    config: Optional[RunnableConfig]
    metadata: Mapping[str, object]
    values: StateT
    next: List[str]
    parent_config: Optional[RunnableConfig]
    tasks: List[CheckpointTask]


class CheckpointStreamPart(_Part, Generic[StateT]):
    """A state that was saved (`version="v2"`)."""

    type: Literal["checkpoints"]
    data: CheckpointPayload[StateT]


@runtime_checkable
class Saver(Protocol):
    """What saves runs: an object of the kind of langgraph-checkpoint's `BaseCheckpointSaver`."""

    def get_tuple(self, config: RunnableConfig) -> object:
        """Return the state that was saved last, or the one that the config names."""

    def list(self, config: Optional[RunnableConfig], **options: Any) -> object:
        """Return the saved states, the latest first."""

    def put(self, config: RunnableConfig, checkpoint: Any, metadata: Any, new_versions: Any) -> RunnableConfig:
        """Save a state."""

    def put_writes(self, config: RunnableConfig, writes: Any, task_id: str, task_path: str = "") -> None:
        """Save what a task has written."""


Checkpointer = Union[None, bool, Saver]
"""What can be given as `checkpointer=`: a saver; `None`, to take that of the graph around; `True`, to keep the state of
a nested graph between its runs; `False`, to save nothing even if the graph around does."""


def ensure_valid_checkpointer(checkpointer: object) -> Checkpointer:
    """Return a checkpointer if it is one.

    Args:
        checkpointer: A saver, `True`, `False` or `None`.

    Raises:
        TypeError: It is none of these.
    """
    # A class has the methods as well, but no place where it saves.
    if checkpointer is None or (isinstance(checkpointer, (bool, Saver)) and not isinstance(checkpointer, type)):
        return checkpointer
    kind = "the class" if isinstance(checkpointer, type) else "an object of type"
    name = checkpointer.__name__ if isinstance(checkpointer, type) else type(checkpointer).__name__
    raise TypeError(
        f"Invalid checkpointer provided: {kind} {name}. Give a saver such as InMemorySaver(), True, False or None."
    )
