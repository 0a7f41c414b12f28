"""What can go wrong, as data that renders itself.

Every error of this package names what happened, where, and what to do, with the closest right name
where a name was wrong. The hierarchy, with the builtin each one also is::

    GraphError
    ├── GraphBuildError (ValueError)       the graph, as written, cannot work
    │   ├── UnknownNodeError               an edge, branch or entry point names a node that is not there
    │   ├── NodeNameError                  a node's name is taken, reserved or malformed
    │   └── StateSchemaError (TypeError)   the state's class or a reducer cannot be used
    ├── UnknownOptionError (ValueError)    a stream mode, version, key or filter that does not exist
    ├── UnknownKeywordError (TypeError)    a keyword argument that does not exist
    ├── EmptyInputError                    a run was started with nothing
    ├── InvalidUpdateError                 an input, a node's return value or a pair of writes does not fit the state
    │   └── UnknownRouteError (ValueError) a branch, `goto` or `Send` names a node that is not there
    ├── GraphRecursionError (RecursionError)
    ├── NodeCancelledError                 an async node raised CancelledError by itself
    ├── NodeTimeoutError (TimeoutError)    an attempt of a node took longer than it may
    ├── RunTimeoutError (TimeoutError)     a run took longer than its caller wanted to wait
    ├── StateMutationError (RuntimeError)  a node changed the state in place; raised in the checking mode
    ├── StreamBusyError (RuntimeError)     a stream was read by two at the same time
    ├── EventLoopError (RuntimeError)      async code was run without asyncio's event loop, or on another one
    ├── StreamOverflowError (RuntimeError) a node made more chunks than may wait for a slow consumer
    ├── NotSupportedError (NotImplementedError)  LangGraph has it, this package does not have it yet
    └── GraphBubbleUp                      no failure of the node that it passes through
        ├── GraphDrained                   the run was asked to end, and has, with steps left to do
        └── ParentCommand                  a `Command` for the parent graph, on its way up

`UnknownKeyWarning` is given where a node or an input has a key that is lost, but that may be no mistake.

`StreamClosed` stands apart: it is a `BaseException` raised inside work whose consumer has left.
An exception that a user's node raises keeps its type; `location_of` tells where it happened.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Iterable, Mapping, Optional, Sequence, Tuple

from typing_extensions import Literal

from streamgraph._locations import ErrorLocation, location_of
from streamgraph._signals import RunningTask

__all__ = [
    "EmptyInputError",
    "ErrorLocation",
    "EventLoopError",
    "GraphBubbleUp",
    "GraphBuildError",
    "GraphDrained",
    "GraphError",
    "GraphRecursionError",
    "InvalidUpdateError",
    "NodeCancelledError",
    "NodeError",
    "NodeNameError",
    "NodeTimeoutError",
    "NotSupportedError",
    "ParentCommand",
    "RunTimeoutError",
    "StateMutationError",
    "StateSchemaError",
    "StreamBusyError",
    "StreamClosed",
    "StreamOverflowError",
    "UnknownKeyWarning",
    "UnknownKeywordError",
    "UnknownNodeError",
    "UnknownOptionError",
    "UnknownRouteError",
    "closest",
    "location_of",
]


def closest(name: object, known: Iterable[object], *, cutoff: float = 0.6) -> Optional[str]:
    """Return the known name most like `name`, or `None` if none is near enough to suggest.

    Args:
        name: The wrong name.
        known: The right ones.
        cutoff: How near is near enough, from 0 to 1.
    """
    lower = {str(candidate).lower(): str(candidate) for candidate in known}
    found = difflib.get_close_matches(str(name).lower(), lower, n=1, cutoff=cutoff)
    return lower[found[0]] if found else None


class GraphError(Exception):
    """Base of all errors of this package.

    Args:
        what: What happened, a sentence without the final stop.
        node: The node it happened in or is about.
        key: The state key it is about.
        step: The superstep it happened in, counted from 1.
        name: The wrong name, if a name was wrong.
        known: The names that would have been right.
        hint: What to do about it, a sentence.
    """

    def __init__(
        self,
        what: str,
        *,
        node: Optional[str] = None,
        key: Optional[str] = None,
        step: Optional[int] = None,
        name: Optional[object] = None,
        known: Iterable[object] = (),
        hint: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.node = node
        self.key = key
        self.step = step
        self.name = name
        self.known = tuple(str(candidate) for candidate in known)
        self.hint = hint

    @property
    def suggestion(self) -> Optional[str]:
        """The closest right name, if a name was wrong and one is near."""
        return None if self.name is None else closest(self.name, self.known)

    def __str__(self) -> str:
        where = [
            text
            for text in (
                self.node is not None and f"node {self.node!r}",
                self.key is not None and f"key {self.key!r}" not in self.what and f"key {self.key!r}",
                self.step is not None and f"step {self.step}",
            )
            if text
        ]
        text = self.what + (f" (at {', '.join(where)})" if where else "") + "."
        if self.suggestion is not None:
            text += f" Did you mean {self.suggestion!r}?"
        elif self.known:
            text += f" Known: {', '.join(map(repr, self.known[:20]))}{', …' if len(self.known) > 20 else ''}."
        return f"{text} {self.hint}".rstrip()

    def __reduce__(self) -> Tuple[Any, ...]:
        return (_rebuild, (type(self), self.what, dict(self.__dict__)))


def _rebuild(cls: type, what: str, fields: dict) -> GraphError:  # type: ignore[type-arg]
    error: Any = cls.__new__(cls, what)
    error.__dict__.update(fields)
    return error  # type: ignore[no-any-return]


class GraphBuildError(GraphError, ValueError):
    """The graph, as written, cannot work; raised while it is built or compiled."""


class UnknownNodeError(GraphBuildError):
    """An edge, a branch or an entry point names a node that the graph does not have."""


class NodeNameError(GraphBuildError):
    """A node's name is taken, reserved or malformed."""


class StateSchemaError(GraphBuildError, TypeError):
    """The class given as a state schema, or a reducer in it, cannot be used."""


class UnknownOptionError(GraphError, ValueError):
    """A stream mode, version, output key or filter that does not exist."""


class UnknownKeywordError(GraphError, TypeError):
    """A keyword argument that the method does not have."""


class EmptyInputError(GraphError):
    """A run was started with nothing to run on."""


class InvalidUpdateError(GraphError):
    """An input, a node's return value or a pair of writes does not fit the state."""


class UnknownKeyWarning(UserWarning):
    """An update or input has a key that the state does not have, and that looks as if another one was meant.

    An `InvalidUpdateError` where the state's schema says that there are no others: a dataclass, a pydantic model with
    `extra="forbid"`, a TypedDict with `closed=True` (PEP 728).
    """


class UnknownRouteError(InvalidUpdateError, ValueError):
    """A branch, a `goto` or a `Send` names a node that the graph does not have."""


class GraphRecursionError(GraphError, RecursionError):
    """The run needed more supersteps than its `recursion_limit` allows."""


class GraphBubbleUp(GraphError):  # noqa: N818  (LangGraph's name)
    """Passes through nodes on its way up, and is no failure of theirs: it is neither tried again nor handled there.

    Code that catches every exception of a tool or graph should let it pass.
    """


class GraphDrained(GraphBubbleUp):
    """The run was asked to end by `RunControl.request_drain`, and has, though there were steps left to do.

    Args:
        reason: Why it was asked to.
    """

    def __init__(self, reason: str = "shutdown") -> None:
        super().__init__(f"Graph drained: {reason}", hint="The steps that were left have not been run.")
        self.reason = reason


class NodeCancelledError(GraphError):
    """An async node raised `CancelledError` though nobody had cancelled it."""


class NodeTimeoutError(GraphError, TimeoutError):
    """An attempt of a node took longer than its `timeout` allows.

    Args:
        node: The node.
        elapsed: The seconds since the attempt began.
        kind: The limit that was reached: `"run"` for the whole attempt, `"idle"` for a time without a sign of life,
            `"first_token"` for the time until a model in it says something.
        run_timeout: The limit of the whole attempt in seconds, if there is one.
        idle_timeout: The limit without a sign of life in seconds, if there is one.
        first_token_timeout: The limit until the first token in seconds, if there is one.
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
    """A run took longer than the `timeout` it was called with.

    Args:
        elapsed: The seconds since its first chunk was asked for.
        timeout: The limit in seconds.
        running: What was running when the time was up.
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
    """A stream was asked for a chunk while somebody else, or one of its own nodes, was waiting for one.

    It goes on for the first reader; one after the other is fine.

    Args:
        reader: Who was reading: a thread or an asyncio task.
    """

    def __init__(self, reader: str) -> None:
        super().__init__(
            f"This stream is being read already, by {reader}",
            hint="Read it in one place and hand its chunks on, or start a stream for each reader.",
        )
        self.reader = reader


class EventLoopError(GraphError, RuntimeError):
    """A stream was awaited where asyncio's event loop does not run, or on another loop than before."""


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
        super().__init__(
            f"{path} was changed in place",
            node=node,
            key=key,
            step=step,
            hint="What lies inside the values of the state is shared with other nodes and with chunks. "
            + (f"Return a new value instead: {{{key!r}: ...}}." if key else "Return a new value instead."),
        )
        self.path = path


class StreamOverflowError(GraphError, RuntimeError):
    """More chunks were made than may wait for a slow consumer, with `overflow="raise"`.

    Args:
        max_buffer: How many may wait.
        node: The node that made one too many.
    """

    def __init__(self, max_buffer: int, node: Optional[str] = None) -> None:
        super().__init__(
            f"The consumer is too slow: {max_buffer} chunks wait for it, as many as max_buffer allows",
            node=node,
            hint='Raise max_buffer, read faster, or choose another overflow: "block", "drop_oldest" or "coalesce".',
        )
        self.max_buffer = max_buffer


class NotSupportedError(GraphError, NotImplementedError):
    """Something that LangGraph has and this package does not have yet; refused rather than ignored.

    Raised for checkpointers and interrupts, which need saved runs: ignored, a run would silently not be resumable.
    """


@dataclass(frozen=True)
class NodeError:
    """What an error handler gets as its parameter `error`.

    Attributes:
        node: The node that has failed.
        error: What it raised.
    """

    node: str
    error: BaseException


class ParentCommand(GraphBubbleUp):
    """Carries a `Command(graph=Command.PARENT)` from a nested graph to the node that runs it.

    Seen by a user only where there is no parent: the command was returned in a root graph.

    Args:
        command: The command, addressed to the parent.
    """

    def __init__(self, command: Any) -> None:
        super().__init__(
            "A Command for the parent graph was returned, but this graph has no parent",
            hint="Return it from a node of a nested graph, or drop graph=Command.PARENT.",
        )
        self.command = command


class StreamClosed(BaseException):
    """Raised inside a node, tool or model call whose consumer has left, at its next token or writer call.

    It derives from `BaseException` so that an `except Exception` around a model call does not keep
    the model working for nobody. Let it pass.

    Args:
        why: Why the work is to end.
    """

    def __init__(self, why: str = "the consumer of this stream has left, or a task beside this one has failed") -> None:
        super().__init__(why)
