"""Runtime object for a parameter named `runtime`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Callable, Generic, Iterator, Optional, Sequence, Type

from typing_extensions import Protocol, TypeVar, runtime_checkable

from streamgraph._core.control import RunControl
from streamgraph._langchain.peer_tasks import current_place
from streamgraph._langchain.scope import Scope, no_writer
from streamgraph._streams.backpressure import Capacity
from streamgraph._streams.cancellation import CancelToken
from streamgraph.types import StreamWriter

ContextT = TypeVar("ContextT", default=Any)


@runtime_checkable
class BaseUser(Protocol):
    """An authenticated user, as LangGraph's server describes it: with attributes, and by keys like a mapping."""

    @property
    def is_authenticated(self) -> bool:
        """True if it is known who the user is."""

    @property
    def display_name(self) -> str:
        """The name to show."""

    @property
    def identity(self) -> str:
        """The id of the user."""

    @property
    def permissions(self) -> Sequence[str]:
        """What the user may do."""

    def __getitem__(self, key: str) -> object: ...

    def __contains__(self, key: object) -> bool: ...

    def __iter__(self) -> Iterator[str]: ...


@dataclass(frozen=True)
class ServerInfo:
    """What LangGraph's server says about a run; a server that runs graphs of this package may give the same.

    Attributes:
        assistant_id: The configured graph that was asked for.
        graph_id: The graph.
        user: The authenticated user, if there is one.
    """

    assistant_id: str
    graph_id: str
    user: Optional[BaseUser] = None


@dataclass(frozen=True)
class ExecutionInfo:
    """Identifies an execution of a node.

    Attributes:
        checkpoint_id: Always `None`, since runs are not saved.
        checkpoint_ns: The namespace of the task in one string, as in the metadata of its messages.
        task_id: The id of the task, as in task events.
        thread_id: The `thread_id` in the run's config; `None` if not set.
        run_id: The `run_id` in the run's config; `None` if not set.
        node_attempt: The number of the attempt, from 1.
        node_first_attempt_time: The start of the first attempt in seconds since the epoch.
    """

    checkpoint_id: Optional[str] = None
    checkpoint_ns: str = ""
    task_id: str = ""
    thread_id: Optional[str] = None
    run_id: Optional[str] = None
    node_attempt: int = 1
    node_first_attempt_time: Optional[float] = None

    def patch(self, **changes: Any) -> ExecutionInfo:
        """Return a copy with changed attributes.

        Args:
            **changes: Attributes and their values.
        """
        return replace(self, **changes)


def _no_heartbeat() -> None:
    """Do nothing; the heartbeat outside of a run."""


@dataclass(frozen=True)
class Runtime(Generic[ContextT]):
    """Access to the current run for a node.

    One made outside of a run, for a test or for a call of a tool by hand, has the given attributes; what it writes and
    signals goes nowhere.

    Attributes:
        context: The object passed to the run as `context=`, of the graph's `context_schema`.
        store: The store given to `compile`.
        stream_writer: Writes its argument to the stream as `custom` data.
        heartbeat: Reports activity of the node, for its idle timeout.
        previous: The last result of a functional workflow; `None` in graphs.
        execution_info: The current task and attempt.
        server_info: What a server says about the run; `None` without one.
        control: The handle to request an early end of the run; `None` if not given.
    """

    context: ContextT = None  # type: ignore[assignment]
    store: Any = None
    stream_writer: StreamWriter = no_writer
    heartbeat: Callable[[], None] = _no_heartbeat
    previous: Any = None
    execution_info: Optional[ExecutionInfo] = None
    server_info: Optional[ServerInfo] = None
    control: Optional[RunControl] = None
    _stop: Optional[CancelToken] = field(default=None, repr=False, compare=False)
    _capacity: Optional[Capacity] = field(default=None, repr=False, compare=False)

    @property
    def stopped(self) -> bool:
        """True if this work is no longer wanted: the consumer has left, or a parallel task has failed.

        A thread cannot be cancelled, so a sync node that neither streams nor writes should check this from time to
        time.
        """
        return self._stop is not None and self._stop.is_set

    async def caught_up(self) -> None:
        """Wait until the consumer has caught up, if the stream has a `max_buffer`.

        Await this after writing: the writer of an async node cannot wait for a slow consumer. Models, async generator
        nodes and sync nodes are held back without it.
        """
        if self._capacity is not None:
            await self._capacity.wait()

    @property
    def drain_requested(self) -> bool:
        """True if the run was asked to end after this step."""
        return self.control is not None and self.control.drain_requested

    @property
    def drain_reason(self) -> Optional[str]:
        """The reason of the request to end the run, or `None` if there was none."""
        return None if self.control is None else self.control.drain_reason

    def override(self, **changes: Any) -> Runtime[ContextT]:
        """Return a copy with changed attributes.

        Args:
            **changes: Attributes and their values.
        """
        return replace(self, **changes)

    def patch_execution_info(self, **changes: Any) -> Runtime[ContextT]:
        """Return a copy whose `execution_info` has changed attributes.

        Args:
            **changes: Attributes of the `ExecutionInfo` and their values.

        Raises:
            RuntimeError: There is no `execution_info`, since the runtime was made outside of a run.
        """
        if self.execution_info is None:
            raise RuntimeError(
                "This Runtime has no execution_info to change: it was made outside of a run. "
                "Give it one with override(execution_info=ExecutionInfo(...))."
            )
        return replace(self, execution_info=self.execution_info.patch(**changes))

    def merge(self, other: Runtime[ContextT]) -> Runtime[ContextT]:
        """Return a copy with the non-default values of `other`.

        Args:
            other: The other runtime.
        """
        changed = {
            item.name: getattr(other, item.name)
            for item in fields(other)
            if getattr(other, item.name) is not item.default
        }
        return replace(self, **changed)


def runtime_of(scope: Scope) -> Runtime:
    """Return the runtime of a task."""
    config = scope.run.config
    run_id = config.run_id or config.configurable.get("run_id")
    info = ExecutionInfo(
        task_id=scope.task.id,
        checkpoint_ns=scope.checkpoint_ns,
        thread_id=config.configurable.get("thread_id"),
        run_id=None if run_id is None else str(run_id),
        node_attempt=scope.attempt,
        node_first_attempt_time=scope.began,
    )
    return Runtime(
        scope.run.context,
        scope.run.store,
        scope.write,
        scope.heartbeat,
        execution_info=info,
        control=scope.run.control,
        _stop=scope.stop,
        _capacity=scope.run.capacity,
    )


def get_runtime(context_schema: Optional[Type[ContextT]] = None) -> Runtime[ContextT]:
    """Return the runtime of the current node.

    Args:
        context_schema: The class of the run's context; used only by type checkers.

    Raises:
        RuntimeError: The function is called outside of a graph run.
    """
    scope = current_place()
    if scope is None:
        raise RuntimeError("get_runtime() was called outside of a graph run; call it in a node, branch or tool.")
    return runtime_of(scope)
