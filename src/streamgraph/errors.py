"""Errors as data that render their own messages.

Every message of this package names the problem, its place, the remedy, and, for a wrong name, the closest valid
one. The hierarchy, with builtin base classes in parentheses::

    GraphError
    ├── GraphBuildError (ValueError)       the graph cannot work as defined
    │   ├── UnknownNodeError               an edge, branch or entry point names a node that does not exist
    │   ├── NodeNameError                  a node's name is taken, reserved or malformed
    │   └── StateSchemaError (TypeError)   the state's class or a reducer cannot be used
    ├── UnknownOptionError (ValueError)    a stream mode, version, key or filter does not exist
    ├── UnknownKeywordError (TypeError)    a keyword argument does not exist
    ├── EmptyInputError                    a run was started without input
    │   └── UnknownCheckpointError (ValueError)  a run was to continue from a checkpoint that does not exist
    ├── InvalidUpdateError                 an input, a node's return value or a pair of writes does not fit the state
    │   └── UnknownRouteError (ValueError) a branch, `goto` or `Send` names a node that does not exist
    ├── EmptyChannelError                  a channel was read that has no value
    ├── GraphRecursionError (RecursionError)
    ├── NodeCancelledError                 an async node raised CancelledError without having been cancelled
    ├── NodeTimeoutError (TimeoutError)    an attempt of a node exceeded its `timeout`
    ├── RunCancelledError                  the result of a run was asked for that was cancelled
    ├── UnknownEventError (ValueError)     a reader is to begin after an event that the run does not have
    ├── RunTimeoutError (TimeoutError)     a run exceeded the `timeout` of the call
    ├── StepTimeoutError (TimeoutError)    a step exceeded the `step_timeout` of the graph
    ├── StateMutationError (RuntimeError)  a node changed the state in place; raised in the checking mode
    ├── FixedAttributeError (AttributeError)  an attribute of a compiled graph was set that cannot take effect
    ├── NoCheckpointerError (ValueError)   the state of a run was asked for, but runs are not saved
    ├── MissingPackageError                a feature needs a package that is not installed
    ├── ThreadBusyError (RuntimeError)     a run was started on a thread that has a run already
    │   └── ThreadMovedError               another process has continued or deleted the thread of a run
    ├── UnreadableCheckpointError (ValueError)  a checkpoint is damaged, of a newer version, or incomplete
    ├── StoredError                        the failure of a node in an earlier run, of which the text was stored
    ├── UnsendableValueError (TypeError)   a value cannot be sent to or from the worker of a node
    ├── UnstorableValueError (TypeError)   a value in the state cannot be stored by the saver
    ├── WorkerLostError (ConnectionError)  the worker that ran a node was lost
    ├── StreamBusyError (RuntimeError)     a stream was read by two readers at the same time
    ├── EventLoopError (RuntimeError)      async code was run without asyncio's event loop, or on another one
    ├── StreamOverflowError (RuntimeError) more chunks than allowed were waiting for a slow consumer
    ├── NotSupportedError (NotImplementedError)  a feature of LangGraph that this package does not have yet
    ├── UnknownInterruptError (RuntimeError)  an answer is for none of the questions that a run waits with
    ├── TaskNotFound                       a task is to be run that the run does not have
    └── GraphBubbleUp                      control flow; not a failure of the node that it passes through
        ├── GraphDrained                   the run ended early on request, with steps left to do
        ├── GraphInterrupt                 a node asks a question and waits for the answer
        │   └── NodeInterrupt              the same, raised by the node itself; deprecated
        └── ParentCommand                  a `Command` on its way to the parent graph

`UnknownKeyWarning` is issued if an update or input has a key that is dropped but may not be a mistake.

`StreamClosed` is not in the hierarchy: it is a `BaseException` raised inside work whose consumer has left.
An exception that a user's node raises keeps its type; `location_of` returns where it happened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Mapping, Optional, Sequence, Tuple

from typing_extensions import Literal

from streamgraph._closest import closest
from streamgraph._control_errors import (
    GraphBubbleUp,
    GraphDrained,
    GraphInterrupt,
    NodeInterrupt,
    ParentCommand,
    UnknownInterruptError,
    is_invalid_resume,
)
from streamgraph._errors import GraphError
from streamgraph._graph_errors import (
    EmptyInputError,
    FixedAttributeError,
    MissingPackageError,
    NoCheckpointerError,
    RunCancelledError,
    StepTimeoutError,
    StoredError,
    ThreadBusyError,
    ThreadMovedError,
    UnknownCheckpointError,
    UnknownEventError,
    UnreadableCheckpointError,
    UnsendableValueError,
    UnstorableValueError,
    WorkerLostError,
)
from streamgraph._locations import ErrorLocation, location_of
from streamgraph._signals import RunningTask

__all__ = [
    "EmptyChannelError",
    "EmptyInputError",
    "ErrorCode",
    "ErrorLocation",
    "EventLoopError",
    "FixedAttributeError",
    "GraphBubbleUp",
    "GraphBuildError",
    "GraphDrained",
    "GraphError",
    "GraphInterrupt",
    "GraphRecursionError",
    "InvalidUpdateError",
    "MissingPackageError",
    "NoCheckpointerError",
    "NodeCancelledError",
    "NodeError",
    "NodeInterrupt",
    "NodeNameError",
    "NodeTimeoutError",
    "NotSupportedError",
    "ParentCommand",
    "RunCancelledError",
    "RunTimeoutError",
    "StateMutationError",
    "StateSchemaError",
    "StepTimeoutError",
    "StoredError",
    "StreamBusyError",
    "StreamClosed",
    "StreamOverflowError",
    "TaskNotFound",
    "ThreadBusyError",
    "ThreadMovedError",
    "UnknownCheckpointError",
    "UnknownEventError",
    "UnknownInterruptError",
    "UnknownKeyWarning",
    "UnknownKeywordError",
    "UnknownNodeError",
    "UnknownOptionError",
    "UnknownRouteError",
    "UnreadableCheckpointError",
    "UnsendableValueError",
    "UnstorableValueError",
    "WorkerLostError",
    "closest",
    "create_error_message",
    "is_invalid_resume",
    "location_of",
]


class ErrorCode(Enum):
    """The codes under which LangGraph's documentation describes errors."""

    GRAPH_RECURSION_LIMIT = "GRAPH_RECURSION_LIMIT"
    INVALID_CONCURRENT_GRAPH_UPDATE = "INVALID_CONCURRENT_GRAPH_UPDATE"
    INVALID_GRAPH_NODE_RETURN_VALUE = "INVALID_GRAPH_NODE_RETURN_VALUE"
    MULTIPLE_SUBGRAPHS = "MULTIPLE_SUBGRAPHS"
    INVALID_CHAT_HISTORY = "INVALID_CHAT_HISTORY"


def create_error_message(*, message: str, error_code: ErrorCode) -> str:
    """Return a message followed by the address of the page about an error in LangGraph's documentation.

    Args:
        message: What happened.
        error_code: The page.
    """
    page = f"https://docs.langchain.com/oss/python/langgraph/errors/{error_code.value}"
    return f"{message}\nFor troubleshooting, visit: {page}"


class GraphBuildError(GraphError, ValueError):
    """The graph cannot work as defined; raised while it is built or compiled."""


class UnknownNodeError(GraphBuildError):
    """An edge, a branch or an entry point names a node that the graph does not have."""


class NodeNameError(GraphBuildError):
    """A node's name is taken, reserved or malformed."""


class StateSchemaError(GraphBuildError, TypeError):
    """The state schema, or a reducer in it, cannot be used."""


class UnknownOptionError(GraphError, ValueError):
    """A stream mode, version, output key or filter does not exist."""


class UnknownKeywordError(GraphError, TypeError):
    """A keyword argument does not exist."""


class EmptyChannelError(GraphError):
    """A channel was read that has no value; a channel class raises it in `get`, without arguments."""

    def __init__(self, what: str = "The channel has no value") -> None:
        super().__init__(what)


class InvalidUpdateError(GraphError):
    """An input, a node's return value or a pair of writes does not fit the state."""


class UnknownKeyWarning(UserWarning):
    """An update or input has a key that the state does not have and that resembles an existing one.

    An `InvalidUpdateError` is raised instead if the state is a dataclass, and for every unknown key if the schema
    excludes others: a pydantic model with `extra="forbid"`, or a TypedDict with `closed=True` (PEP 728).
    """


class UnknownRouteError(InvalidUpdateError, ValueError):
    """A branch, a `goto` or a `Send` names a node that the graph does not have."""


class GraphRecursionError(GraphError, RecursionError):
    """The run needed more supersteps than its `recursion_limit` allows."""


class NodeCancelledError(GraphError):
    """An async node raised `CancelledError` without having been cancelled.

    Args:
        node: The node.
        message: What happened, if there is more to say.
        step: The superstep.
        hint: Advice on how to fix it, a sentence.
    """

    def __init__(self, node: str, message: Optional[str] = None, *, step: Optional[int] = None, hint: str = "") -> None:
        super().__init__(message or f"Node {node!r} raised asyncio.CancelledError", node=node, step=step, hint=hint)


class NodeTimeoutError(GraphError, TimeoutError):
    """An attempt of a node took longer than its `timeout` allows.

    Args:
        node: The node.
        elapsed: Seconds since the attempt began.
        kind: The limit that was reached: `"run"` for the whole attempt, `"idle"` for a period without activity,
            `"first_token"` for the time until a model in the node produces its first token.
        run_timeout: The limit of the whole attempt in seconds, if set.
        idle_timeout: The limit without activity in seconds, if set.
        first_token_timeout: The limit until the first token in seconds, if set.
        step: The superstep.
    """

    _LIMITS: ClassVar[Mapping[str, Tuple[str, str]]] = {
        "run": ("run timeout", "a single attempt may take"),
        "idle": ("idle timeout", "it may be silent"),
        "first_token": ("first-token timeout", "its model may take to begin"),
    }

    def __init__(
        self,
        node: str,
        elapsed: float,
        *,
        kind: Literal["run", "idle", "first_token"],
        run_timeout: Optional[float] = None,
        idle_timeout: Optional[float] = None,
        first_token_timeout: Optional[float] = None,
        step: Optional[int] = None,
    ) -> None:
        limit = {"run": run_timeout, "idle": idle_timeout, "first_token": first_token_timeout}[kind]
        name, what = self._LIMITS[kind]
        super().__init__(
            f"Node {node!r} exceeded its {name} of {limit:.3f}s (elapsed: {elapsed:.3f}s)",
            node=node,
            step=step,
            hint=f"Raise the time that {what} with add_node(timeout=...), or give the node a retry_policy.",
        )
        self.elapsed = elapsed
        self.kind = kind
        self.timeout = limit
        self.run_timeout = run_timeout
        self.idle_timeout = idle_timeout
        self.first_token_timeout = first_token_timeout


class RunTimeoutError(GraphError, TimeoutError):
    """A run took longer than the `timeout` of the call.

    Args:
        elapsed: Seconds since the first chunk was requested.
        timeout: The limit in seconds.
        running: The tasks that were running at the limit.
    """

    def __init__(self, elapsed: float, timeout: float, running: Sequence[RunningTask] = ()) -> None:
        tasks = ", ".join(f"node {task.node!r} in step {task.step} for {task.elapsed:.3f}s" for task in running[:5])
        more = f" and {len(running) - 5} more" if len(running) > 5 else ""
        super().__init__(
            f"The run exceeded its timeout of {timeout:.3f}s (elapsed: {elapsed:.3f}s); "
            + (f"running: {tasks}{more}" if running else "no node was running"),
            hint="Raise the timeout of the call, or give slow nodes one with add_node(timeout=...).",
        )
        self.elapsed = elapsed
        self.timeout = timeout
        self.running = tuple(running)


class StreamBusyError(GraphError, RuntimeError):
    """A chunk was requested while another reader, or a node of the same run, was waiting for one.

    The stream stays usable for the first reader. Several readers are fine one after the other.

    Args:
        reader: The thread or asyncio task that was reading.
    """

    def __init__(self, reader: str) -> None:
        super().__init__(
            f"This stream is being read already, by {reader}",
            hint="Read it in one place and hand its chunks on, or start a stream for each reader.",
        )
        self.reader = reader


class EventLoopError(GraphError, RuntimeError):
    """A stream was awaited outside of asyncio's event loop, or on a different loop than before."""


class StateMutationError(GraphError, RuntimeError):
    """A node has changed the state in place, instead of returning an update; found by the checking mode.

    `compile(debug="mutations")` and the environment variable `STREAMGRAPH_CHECK_MUTATIONS=1` turn the checking mode on.

    Args:
        path: The place that was changed, as an expression: `state["profile"]["address"]["city"]`.
        node: The node.
        step: The superstep.
    """

    def __init__(self, path: str, node: Optional[str] = None, step: Optional[int] = None) -> None:
        named = re.match(r"state(?:\['([^']*)'\]|\.(\w+))", path)
        key = None if named is None else named[1] or named[2]
        instead = f"Return a new value instead: {{{key!r}: ...}}." if key else "Return a new value instead."
        hint = f"What lies inside the values of the state is shared with other nodes and with chunks. {instead}"
        super().__init__(f"{path} was changed in place", node=node, key=key, step=step, hint=hint)
        self.path = path


class StreamOverflowError(GraphError, RuntimeError):
    """More chunks than allowed were waiting for a slow consumer, with `overflow="raise"`.

    Args:
        max_buffer: The number of chunks that may wait.
        node: The node that exceeded it.
    """

    def __init__(self, max_buffer: int, node: Optional[str] = None) -> None:
        super().__init__(
            f"The consumer is too slow: {max_buffer} chunks wait for it, as many as max_buffer allows",
            node=node,
            hint='Raise max_buffer, read faster, or choose another overflow: "block", "drop_oldest" or "coalesce".',
        )
        self.max_buffer = max_buffer


class NotSupportedError(GraphError, NotImplementedError):
    """A feature of LangGraph that this package does not have yet; refused rather than ignored.

    Raised for checkpointers and interrupts: if they were ignored, a run would silently not be resumable.
    """


class TaskNotFound(GraphError):  # noqa: N818  (LangGraph's name)
    """A task is to be run that the run does not have: the executor of a distributed run was handed a foreign one.

    Args:
        what: The task, or a description of what was looked for.
    """


@dataclass(frozen=True)
class NodeError:
    """The value of an error handler's parameter `error`.

    Attributes:
        node: The node that has failed.
        error: The exception that the node raised.
    """

    node: str
    error: BaseException


class StreamClosed(BaseException):
    """Raised in a node, tool or model call at its next token or writer call after its consumer has left.

    It derives from `BaseException` so that an `except Exception` around a model call does not keep the model working
    without a consumer. Do not catch it.

    Args:
        why: The reason for ending the work.
    """

    def __init__(self, why: str = "the consumer of this stream has left, or a task beside this one has failed") -> None:
        super().__init__(why)
