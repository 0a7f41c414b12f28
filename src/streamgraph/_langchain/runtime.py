"""The object that a parameter named `runtime` gets."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Callable, Generic, Optional, Type

from typing_extensions import TypeVar

from streamgraph._core.control import RunControl
from streamgraph._langchain.scope import Scope, current_scope, no_writer
from streamgraph._streams.backpressure import Capacity
from streamgraph._streams.cancellation import CancelToken
from streamgraph.types import StreamWriter

ContextT = TypeVar("ContextT", default=Any)


@dataclass(frozen=True)
class ExecutionInfo:
    """Which execution of a node this is.

    Attributes:
        checkpoint_id: Always `None`, since runs are not saved.
        checkpoint_ns: The namespace of the task in one string, as in the metadata of its messages.
        task_id: The id of the task, as in task events.
        thread_id: The `thread_id` that the run was configured with.
        run_id: The `run_id` that the run was configured with.
        node_attempt: The number of the attempt, from 1.
        node_first_attempt_time: When the first attempt began, in seconds since the epoch.
    """

    checkpoint_id: Optional[str] = None
    checkpoint_ns: str = ""
    task_id: str = ""
    thread_id: Optional[str] = None
    run_id: Optional[str] = None
    node_attempt: int = 1
    node_first_attempt_time: Optional[float] = None

    def patch(self, **changes: Any) -> ExecutionInfo:
        """Return a copy with other values.

        Args:
            **changes: Attributes and their values.
        """
        return replace(self, **changes)


def _no_heartbeat() -> None:
    """Tell nobody that the node is alive."""


@dataclass(frozen=True)
class Runtime(Generic[ContextT]):
    """What a run offers its nodes.

    Attributes:
        context: The object given as `context=` to the run, of the graph's `context_schema`.
        store: The store given to `compile`.
        stream_writer: Puts its argument into the stream as `custom` data.
        heartbeat: Tells that the node is alive, for the idle timeout of the node.
        previous: What the last run of a functional workflow returned; `None` in graphs.
        execution_info: Which task and which attempt of it this is.
        server_info: Always `None`: what LangGraph's server says of itself.
        control: Through which the run can be asked to end, if it was given.
    """

    context: ContextT = None  # type: ignore[assignment]
    store: Any = None
    stream_writer: StreamWriter = no_writer
    heartbeat: Callable[[], None] = _no_heartbeat
    previous: Any = None
    execution_info: Optional[ExecutionInfo] = None
    server_info: Any = None
    control: Optional[RunControl] = None
    _stop: CancelToken = field(default_factory=CancelToken, repr=False)
    _capacity: Optional[Capacity] = field(default=None, repr=False)

    @property
    def stopped(self) -> bool:
        """Whether this work is no longer wanted: its consumer has left, or a task beside it has failed.

        A sync node that neither streams nor writes can look here from time to time, for a thread cannot
        be cancelled.
        """
        return self._stop.is_set

    async def caught_up(self) -> None:
        """Wait until the consumer has caught up, if it set a limit to what may wait for it (`max_buffer`).

        The writer of an async node cannot wait for a slow consumer, so await this after writing. Models and
        async generator nodes are held back without it, and so are sync nodes.
        """
        if self._capacity is not None:
            await self._capacity.wait()

    @property
    def drain_requested(self) -> bool:
        """Whether the run has been asked to end after this step."""
        return self.control is not None and self.control.drain_requested

    @property
    def drain_reason(self) -> Optional[str]:
        """Why the run has been asked to end, or `None` if it has not."""
        return None if self.control is None else self.control.drain_reason

    def override(self, **changes: Any) -> Runtime[ContextT]:
        """Return a copy with other values.

        Args:
            **changes: Attributes and their values.
        """
        return replace(self, **changes)

    def merge(self, other: Runtime[ContextT]) -> Runtime[ContextT]:
        """Return a copy with what `other` says in place of what this one says.

        Args:
            other: The other runtime; what it leaves at its default does not count.
        """
        said = {
            item.name: getattr(other, item.name)
            for item in fields(other)
            if item.init and getattr(other, item.name) is not item.default and item.name != "_stop"
        }
        return replace(self, **said)


def runtime_of(scope: Scope) -> Runtime:
    """Return what the run of `scope` offers its task."""
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
    """Return the runtime of the node this is called in.

    Args:
        context_schema: The class of the run's context; it only tells type checkers.

    Raises:
        RuntimeError: It is called outside of a graph run.
    """
    scope = current_scope()
    if scope is None:
        raise RuntimeError("get_runtime() was called outside of a graph run; call it in a node, branch or tool.")
    return runtime_of(scope)
