"""The `tools` mode: tool calls that start, report, end and fail."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from streamgraph._langchain.handlers import TaskHandler
from streamgraph._langchain.scope import Scope
from streamgraph.constants import TAG_NOSTREAM
from streamgraph.errors import GraphDrained

_current: ContextVar[Optional[BaseCallbackHandler]] = ContextVar("streamgraph_tool_tap", default=None)
register_configure_hook(_current, inheritable=True)

_pending_tool_call: ContextVar[Optional[Tuple[Optional[str], Mapping[str, object]]]] = ContextVar(
    "streamgraph_tool_call", default=None
)
# What the model has asked for, on its way from whoever answers the call to the callback of the tool's start: before
# version 1.0 langchain-core tells its handlers neither the call's id nor which arguments the model gave.


current_tool_call_id: ContextVar[Optional[str]] = ContextVar("streamgraph_answered_call", default=None)
"""The id of the tool call that is being answered; graphs and models that a tool calls inherit it."""


@contextmanager
def tool_call(call_id: Optional[str], args: Mapping[str, object]) -> Iterator[None]:
    """Say which call of a model the tool that is invoked inside answers.

    Args:
        call_id: The call's id.
        args: The arguments that the model gave.
    """
    token, outer = _pending_tool_call.set((call_id, args)), current_tool_call_id.set(call_id)
    try:
        yield
    finally:
        _pending_tool_call.reset(token)
        current_tool_call_id.reset(outer)


def emit_output_delta(scope: Optional[Scope], call_id: Optional[str], delta: object) -> None:
    """Show a piece of a tool's output.

    Args:
        scope: The task that the tool runs in, if there is one.
        call_id: The id of the call.
        delta: The piece.
    """
    if scope is not None and "tools" in scope.wanted:
        scope.emit("tools", {"event": "tool-output-delta", "tool_call_id": call_id, "delta": delta})


class ToolTap(TaskHandler):
    """Listens to the tool calls of one task.

    Args:
        scope: The task.
    """

    raise_error = True  # a consumer that has left must end the work, not fill a log

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._calls: Dict[UUID, Optional[str]] = {}

    def on_tool_start(
        self,
        serialized: Optional[Dict[str, object]],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        tags: Optional[List[str]] = None,
        metadata: Optional[Dict[str, object]] = None,
        inputs: Optional[Dict[str, object]] = None,
        **kwargs: Any,
    ) -> None:
        """A tool starts."""
        coming = _pending_tool_call.get()
        _pending_tool_call.set(None)  # for the tool alone, not for those that it calls in turn
        if run_id in self._calls or TAG_NOSTREAM in (tags or ()):
            return
        call_id, args = coming or (kwargs.get("tool_call_id") or str(run_id), inputs or {})
        self._calls[run_id] = call_id
        name = kwargs.get("name") or (serialized or {}).get("name")
        self._scope.emit(
            "tools", {"event": "tool-started", "tool_call_id": call_id, "tool_name": name, "input": dict(args)}
        )

    def on_tool_end(
        self, output: object, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """A tool has returned."""
        call_id = self._calls.pop(run_id, None)
        if call_id is not None:
            self._scope.emit("tools", {"event": "tool-finished", "tool_call_id": call_id, "output": output})

    def on_tool_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """A tool has failed."""
        call_id = self._calls.pop(run_id, None)
        if call_id is not None and not self._scope.stop.is_set and not isinstance(error, GraphDrained):
            self._scope.emit("tools", {"event": "tool-error", "tool_call_id": call_id, "message": str(error)})


def enter_tool_tap(tap: Optional[ToolTap]) -> None:
    """Make `tap` the one of the context this runs in, for good: the context belongs to the task."""
    _current.set(tap)


def is_tool_tapped() -> bool:
    """Whether there is a tap of tools in the context this runs in."""
    return _current.get() is not None
