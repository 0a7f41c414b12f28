"""The object that a parameter named `runtime` gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Generic, Optional, Type

from typing_extensions import TypeVar

from streamgraph._core._stop import Stop
from streamgraph._langchain._scope import Scope, current_scope, no_writer
from streamgraph.types import StreamWriter

ContextT = TypeVar("ContextT", default=Any)


@dataclass(frozen=True)
class ExecutionInfo:
    """Which execution of a node this is.

    Attributes:
        task_id: The id of the task, as in task events.
        checkpoint_ns: The namespace of the task in one string, as in the metadata of its messages.
        thread_id: The `thread_id` that the run was configured with.
        run_id: The `run_id` that the run was configured with.
        node_attempt: The number of the attempt, from 1.
        node_first_attempt_time: When the first attempt began, in seconds since the epoch.
    """

    task_id: str
    checkpoint_ns: str
    thread_id: Optional[str] = None
    run_id: Optional[str] = None
    node_attempt: int = 1
    node_first_attempt_time: Optional[float] = None


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
    """

    context: ContextT
    store: Any = None
    stream_writer: StreamWriter = no_writer
    heartbeat: Callable[[], None] = _no_heartbeat
    previous: Any = None
    execution_info: Optional[ExecutionInfo] = None
    _stop: Stop = field(default_factory=Stop, repr=False)

    @property
    def stopped(self) -> bool:
        """Whether this work is no longer wanted: its consumer has left, or a task beside it has failed.

        A sync node that neither streams nor writes can look here from time to time, for a thread cannot
        be cancelled.
        """
        return self._stop.is_set


def runtime_of(scope: Scope) -> Runtime[Any]:
    """Return what the run of `scope` offers its task."""
    config = scope.config
    run_id = config.run_id or config.configurable.get("run_id")
    info = ExecutionInfo(
        task_id=scope.task.id,
        checkpoint_ns=scope.address,
        thread_id=config.configurable.get("thread_id"),
        run_id=None if run_id is None else str(run_id),
        node_attempt=scope.attempt,
        node_first_attempt_time=scope.began or None,
    )
    return Runtime(scope.context, scope.store, scope.write, scope.heartbeat, None, info, scope.stop)


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
