"""The `tools` mode: start, progress, end and failure of tool calls."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages.tool import ToolOutputMixin
from langchain_core.tracers.context import register_configure_hook

from streamgraph._langchain.handlers import TaskHandler
from streamgraph._langchain.scope import Scope
from streamgraph.constants import TAG_NOSTREAM
from streamgraph.errors import GraphDrained, GraphInterrupt


class PausedCall(ToolOutputMixin):
    """Ends a tool call that asks a question, so that tracers see no failure: what its tool returns to langchain-core.

    Args:
        error: The exception that asks; whoever has made the call raises it again.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __repr__(self) -> str:
        return f"Paused: {self.error}"


_current: ContextVar[Optional[BaseCallbackHandler]] = ContextVar("streamgraph_tool_tap", default=None)
register_configure_hook(_current, inheritable=True)

_pending_tool_call: ContextVar[Optional[Tuple[Optional[str], Mapping[str, object]]]] = ContextVar(
    "streamgraph_tool_call", default=None
)
# Id and arguments of the model's tool call, passed from the code that answers it to `on_tool_start`: before version
# 1.0 langchain-core gives handlers neither of them.


current_tool_call_id: ContextVar[Optional[str]] = ContextVar("streamgraph_answered_call", default=None)
"""Id of the tool call being answered; graphs and models called by the tool inherit it."""


@contextmanager
def tool_call(call_id: Optional[str], args: Mapping[str, object]) -> Iterator[None]:
    """Set the model's tool call that is answered by the tool invoked in the block.

    Args:
        call_id: The call's id.
        args: The arguments from the model.
    """
    token, outer = _pending_tool_call.set((call_id, args)), current_tool_call_id.set(call_id)
    try:
        yield
    finally:
        _pending_tool_call.reset(token)
        current_tool_call_id.reset(outer)


def emit_output_delta(scope: Optional[Scope], call_id: Optional[str], delta: object) -> None:
    """Emit a piece of a tool's output.

    Args:
        scope: The task that the tool runs in; `None` outside of a run.
        call_id: The id of the call.
        delta: The piece.
    """
    if scope is not None and "tools" in scope.wanted:
        scope.emit("tools", {"event": "tool-output-delta", "tool_call_id": call_id, "delta": delta})


class ToolTap(TaskHandler):
    """Callback handler for the tool calls of one task.

    Args:
        scope: The task.
    """

    raise_error = True  # `StreamClosed` must end the work instead of being logged

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._calls: Dict[UUID, Tuple[Optional[str], Scope]] = {}

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
        """Emit the start of a tool call."""
        coming = _pending_tool_call.get()
        _pending_tool_call.set(None)  # applies to this tool only, not to tools that it calls
        if run_id in self._calls or TAG_NOSTREAM in (tags or ()):
            return
        call_id, args = coming or (kwargs.get("tool_call_id") or str(run_id), inputs or {})
        scope = self._scope_of(metadata)
        if scope is not self._scope and "tools" not in scope.wanted:
            return
        self._calls[run_id] = (call_id, scope)
        name = kwargs.get("name") or (serialized or {}).get("name")
        scope.emit("tools", {"event": "tool-started", "tool_call_id": call_id, "tool_name": name, "input": dict(args)})

    def on_tool_end(
        self, output: object, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """Emit the result of a tool call."""
        call_id, scope = self._calls.pop(run_id, (None, self._scope))
        if call_id is not None and not isinstance(output, PausedCall):
            scope.emit("tools", {"event": "tool-finished", "tool_call_id": call_id, "output": output})

    def on_tool_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: object
    ) -> None:
        """Emit the failure of a tool call."""
        call_id, scope = self._calls.pop(run_id, (None, self._scope))
        wanted = call_id is not None and not scope.stop.is_set
        if wanted and not isinstance(error, (GraphDrained, GraphInterrupt)):
            scope.emit("tools", {"event": "tool-error", "tool_call_id": call_id, "message": str(error)})


def enter_tool_tap(tap: Optional[ToolTap]) -> None:
    """Set the tool tap of the current context; it is never reset, because the context belongs to the task."""
    _current.set(tap)


def is_tool_tapped() -> bool:
    """Return whether the current context has a tool tap."""
    return _current.get() is not None
