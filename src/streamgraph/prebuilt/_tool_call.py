"""Types for functions that wrap tool calls."""

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
    """A tool call, as passed to `wrap_tool_call`.

    Attributes:
        tool_call: The model's call, without injected arguments.
        tool: The tool; `None` if the node has none of this name.
        state: The input of the node.
        runtime: The `ToolRuntime` of the tool.
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
        """Return a copy with changed attributes.

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


# Not a class statement, which would mangle a name that begins with two underscores.
ToolCallWithContext = TypedDict(
    "ToolCallWithContext", {"tool_call": ToolCall, "__type": Literal["tool_call_with_context"], "state": Any}
)
"""Input of `ToolNode` for one call, with the state for its tool, because a `Send` does not carry the state."""

TOOL_CALL_WITH_CONTEXT = "tool_call_with_context"

ToolResult = Union[ToolMessage, "Command[Any]"]

Answer = Union[ToolResult, List[ToolResult]]
"""Result of one call; the types of wrappers do not include lists."""

ToolCallWrapper = Callable[[ToolCallRequest, Callable[[ToolCallRequest], ToolResult]], ToolResult]
"""`wrap(request, execute)` returns a result; it may run the call with `execute(request)` any number of times."""

AsyncToolCallWrapper = Callable[
    [ToolCallRequest, Callable[[ToolCallRequest], Awaitable[ToolResult]]], Awaitable[ToolResult]
]
"""Async variant of `ToolCallWrapper`; `execute(request)` is awaited."""
