"""What a tool can ask for besides the arguments that the model gives: the state, the store, the whole runtime."""

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
    """Marks a parameter of a tool that gets the state of the graph, or one key of it; the model does not see it.

    ::

        @tool
        def recall(topic: str, notes: Annotated[list, InjectedState("notes")]) -> str:
            ...

    Where a key is missing in the state, the default of the parameter is used, if it has one.

    Args:
        field: The key of the state; `None` for the whole state, as the node that runs the tool has got it.
    """

    def __init__(self, field: Optional[str] = None) -> None:
        self.field = field


class InjectedStore(InjectedToolArg):
    """Marks a parameter of a tool that gets the store given to `compile`; the model does not see it."""


class InjectedRuntime(InjectedToolArg):
    """Marks a parameter that gets the runtime because of its name."""


class InjectedWriter(InjectedToolArg):
    """Marks a parameter that gets the stream writer because of its name."""


class _Unmarked:
    """Stands in for langchain-core's mark of classes that are hidden by themselves, where it has none."""


if TYPE_CHECKING:
    _Hidden = _Unmarked
else:
    # The only way by which langchain-core hides a parameter whose annotation is a bare class. It exists from
    # version 1.0 on and is private; without it the annotation is made one that every version hides, see below.
    _Hidden = getattr(_core_tools, "_DirectlyInjectedToolArg", _Unmarked)


@dataclass
class ToolRuntime(_Hidden, Generic[ContextT, StateT]):
    """Everything around the call of a tool, for a parameter with this annotation; the model does not see it.

    ::

        @tool
        def look_up(city: str, runtime: ToolRuntime) -> str:
            runtime.stream_writer({"looking up": city})
            return runtime.store.get(("weather",), city).value["text"]

    The parameter may have any name; one that is named `runtime` gets it without the annotation, too.
    `ToolRuntime[Context, State]` tells type checkers the types of `context` and `state`.

    Attributes:
        state: The state, as the node that runs the tool has got it.
        context: The object given as `context=` to the run.
        config: The config that the tool is invoked with.
        stream_writer: Puts its argument into the stream as `custom` data.
        tool_call_id: The id of the call that is being answered.
        store: The store given to `compile`.
        tools: The tools of the node.
        execution_info: Which task this is, and which attempt of it.
        server_info: What a server that runs the graph tells about itself; `None` without one.
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
        """Show a piece of the tool's output in the stream mode `tools`, before the tool has returned.

        Outside of a run, and where nobody asked for that mode, it does nothing.

        Args:
            delta: The piece, anything.
        """
        emit_output_delta(current_scope(self.config), self.tool_call_id, delta)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        # Taken as it is. What validates a tool's arguments dumps them as well, and must not go through the state,
        # the config with its callbacks and the store.
        return core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(_nothing))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: object, handler: object) -> Dict[str, object]:
        return {}


def _nothing(value: object) -> None:
    """Dump to nothing."""


TOOL_RUNTIME: Type[ToolRuntime] = ToolRuntime
"""The class itself, whatever `ToolRuntime` has to be to be hidden."""


if not TYPE_CHECKING and not hasattr(_core_tools, "_DirectlyInjectedToolArg"):

    class _HiddenAlias(type(Annotated[int, "any"]), _root=True):
        """`Annotated[ToolRuntime, InjectedToolArg()]` that can also be asked for instances, as the class can."""

        def __instancecheck__(self, value: object) -> bool:
            return isinstance(value, TOOL_RUNTIME)

    ToolRuntime = _HiddenAlias(TOOL_RUNTIME[ContextT, StateT], (InjectedToolArg(),))
