"""One call of a tool, as functions that wrap such calls see it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from typing import Any, Awaitable, Callable, List, Optional, Union

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from typing_extensions import Literal, TypedDict

from streamgraph.prebuilt._injected import ToolRuntime
from streamgraph.types import Command

__all__ = ["AsyncToolCallWrapper", "ToolCallRequest", "ToolCallWithContext", "ToolCallWrapper"]


@dataclass
class ToolCallRequest:
    """What a function given as `wrap_tool_call` decides about.

    Attributes:
        tool_call: The call as the model made it, without what is injected.
        tool: The tool; `None` if the node has none of this name.
        state: The state, as the node has got it.
        runtime: What the tool gets as its `ToolRuntime`.
    """

    tool_call: ToolCall
    tool: Optional[BaseTool]
    state: Any
    runtime: ToolRuntime

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__:
            warnings.warn(
                f"Setting attribute '{name}' on ToolCallRequest is deprecated: it changes the request for everybody "
                "who holds it. Use the override() method, which makes a changed copy.",
                DeprecationWarning,
                stacklevel=2,
            )
        super().__setattr__(name, value)

    def override(self, **changes: Any) -> ToolCallRequest:
        """Return a copy with other values.

        Args:
            **changes: The attributes to change: `tool_call`, `tool`, `state` or `runtime`.

        Raises:
            TypeError: There is no such attribute.
        """
        known = [item.name for item in fields(self)]
        for name in changes:
            if name not in known:
                raise TypeError(
                    f"ToolCallRequest.override() got an unexpected keyword argument {name!r}; it takes "
                    f"{', '.join(known)}."
                )
        return replace(self, **changes)


# Not as a class, in whose body a name that begins with two underscores would become another one.
ToolCallWithContext = TypedDict(
    "ToolCallWithContext", {"tool_call": ToolCall, "__type": Literal["tool_call_with_context"], "state": Any}
)
"""An input of `ToolNode` for one call, with what its tool sees as the state: a `Send` brings no state along."""

TOOL_CALL_WITH_CONTEXT = "tool_call_with_context"

ToolResult = Union[ToolMessage, "Command[Any]"]

Answer = Union[ToolResult, List[ToolResult]]
"""What comes of one call; the types of wrappers say nothing of lists."""

ToolCallWrapper = Callable[[ToolCallRequest, Callable[[ToolCallRequest], ToolResult]], ToolResult]
"""`wrap(request, execute)`: runs the call by `execute(request)`, never, once or often, and returns a result."""

AsyncToolCallWrapper = Callable[
    [ToolCallRequest, Callable[[ToolCallRequest], Awaitable[ToolResult]]], Awaitable[ToolResult]
]
"""The same for async runs: `execute(request)` is awaited."""
