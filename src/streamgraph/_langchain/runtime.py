"""Runtime object for a parameter named `runtime`."""

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

    Attributes:
        context: The object passed to the run as `context=`, of the graph's `context_schema`.
        store: The store given to `compile`.
        stream_writer: Writes its argument to the stream as `custom` data.
        heartbeat: Reports activity of the node, for its idle timeout.
        previous: The last result of a functional workflow; `None` in graphs.
        execution_info: The current task and attempt.
        server_info: Always `None`; in LangGraph, information about its server.
        control: The handle to request an early end of the run; `None` if not given.
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
        """True if this work is no longer wanted: the consumer has left, or a parallel task has failed.

        A thread cannot be cancelled, so a sync node that neither streams nor writes should check this from time to
        time.
        """
        return self._stop.is_set

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

    def merge(self, other: Runtime[ContextT]) -> Runtime[ContextT]:
        """Return a copy with the non-default values of `other`.

        Args:
            other: The other runtime.
        """
        changed = {
            item.name: getattr(other, item.name)
            for item in fields(other)
            if item.init and getattr(other, item.name) is not item.default and item.name != "_stop"
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
    scope = current_scope()
    if scope is None:
        raise RuntimeError("get_runtime() was called outside of a graph run; call it in a node, branch or tool.")
    return runtime_of(scope)
