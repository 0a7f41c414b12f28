"""The object that a parameter named `runtime` gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Optional, Type

from typing_extensions import TypeVar

from streamgraph._core._stop import Stop
from streamgraph._langchain._scope import Scope, current_scope
from streamgraph.types import StreamWriter

ContextT = TypeVar("ContextT", default=Any)


@dataclass(frozen=True)
class Runtime(Generic[ContextT]):
    """What a run offers its nodes.

    Attributes:
        context: The object given as `context=` to the run, of the graph's `context_schema`.
        store: The store given to `compile`.
        stream_writer: Puts its argument into the stream as `custom` data.
        previous: What the last run of a functional workflow returned; `None` in graphs.
    """

    context: ContextT
    store: Any
    stream_writer: StreamWriter
    previous: Any = None
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
    return Runtime(scope.context, scope.store, scope.write, None, scope.stop)


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
