"""Annotations for tool parameters that are injected: the state, the store, the runtime."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, Generic, List, Optional, Type

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg
from langchain_core.tools import base as _core_tools
from pydantic_core import CoreSchema, core_schema
from typing_extensions import Annotated, TypeVar

from streamgraph._langchain.scope import current_scope
from streamgraph._langchain.tool_events import emit_output_delta
from streamgraph.types import StreamWriter

__all__ = ["InjectedState", "InjectedStore", "ToolRuntime"]

ContextT = TypeVar("ContextT", default=Any)
StateT = TypeVar("StateT", default=Any)


class InjectedState(InjectedToolArg):
    """Marks a tool parameter that gets the graph's state, or one key of it; the model does not see it.

    ::

        @tool
        def recall(topic: str, notes: Annotated[list, InjectedState("notes")]) -> str:
            ...

    If the key is missing in the state, the default of the parameter is used, if it has one.

    Args:
        field: The key of the state; `None` for the whole input of the node that runs the tool.
    """

    def __init__(self, field: Optional[str] = None) -> None:
        self.field = field


class InjectedStore(InjectedToolArg):
    """Marks a tool parameter that gets the store given to `compile`; the model does not see it."""


class InjectedRuntime(InjectedToolArg):
    """Marks a parameter that is named `runtime` and gets the runtime."""


class InjectedWriter(InjectedToolArg):
    """Marks a parameter that is named `writer` and gets the stream writer."""


class _Unmarked:
    """Replaces langchain-core's private base class of hidden annotations in versions without it."""


if TYPE_CHECKING:
    _Hidden = _Unmarked
else:
    # langchain-core hides a parameter annotated with a bare class only if it derives from this private class, which
    # exists from version 1.0 on. For older versions `ToolRuntime` is replaced below by an annotation that all hide.
    _Hidden = getattr(_core_tools, "_DirectlyInjectedToolArg", _Unmarked)


@dataclass
class ToolRuntime(_Hidden, Generic[ContextT, StateT]):
    """Context of a tool call, for a parameter with this annotation; the model does not see it.

    ::

        @tool
        def look_up(city: str, runtime: ToolRuntime) -> str:
            runtime.stream_writer({"looking up": city})
            return runtime.store.get(("weather",), city).value["text"]

    The parameter may have any name; a parameter named `runtime` needs no annotation. `ToolRuntime[Context, State]` sets
    the types of `context` and `state` for type checkers.

    Attributes:
        state: The input of the node that runs the tool.
        context: The object passed to the run as `context=`.
        config: The config that the tool is invoked with.
        stream_writer: Writes its argument to the stream as `custom` data.
        tool_call_id: The id of the call that is being answered.
        store: The store given to `compile`.
        tools: The tools of the node.
        execution_info: The current task and attempt.
        server_info: Information about the server that runs the graph; `None` without one.
    """

    state: StateT
    context: ContextT
    config: RunnableConfig
    stream_writer: StreamWriter
    tool_call_id: Optional[str]
    store: Any
    tools: List[BaseTool] = field(default_factory=list)
    execution_info: Any = None
    server_info: Any = None

    def emit_output_delta(self, delta: object) -> None:
        """Emit a piece of the tool's output in the stream mode `tools`, before the tool returns.

        Does nothing outside of a run, and if no consumer wants that mode.

        Args:
            delta: The piece, of any type.
        """
        emit_output_delta(current_scope(self.config), self.tool_call_id, delta)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        # Accepted without validation. Tool arguments are also dumped, which must not traverse the state, the config
        # with its callbacks, and the store.
        return core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(_nothing))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: object, handler: object) -> Dict[str, object]:
        return {}


def _nothing(value: object) -> None:
    """Serialize to `None`."""


TOOL_RUNTIME: Type[ToolRuntime] = ToolRuntime
"""The class itself, even if `ToolRuntime` is replaced by an annotation below."""


if not TYPE_CHECKING and not hasattr(_core_tools, "_DirectlyInjectedToolArg"):

    class _HiddenAlias(type(Annotated[int, "any"]), _root=True):
        """`Annotated[ToolRuntime, InjectedToolArg()]` that supports `isinstance` like the class."""

        def __instancecheck__(self, value: object) -> bool:
            return isinstance(value, TOOL_RUNTIME)

    ToolRuntime = _HiddenAlias(TOOL_RUNTIME[ContextT, StateT], (InjectedToolArg(),))
