"""Injection of the tool parameters that the node fills in."""

from __future__ import annotations

import collections.abc
import inspect
from dataclasses import dataclass, fields
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union, cast

from langchain_core.tools import BaseTool, InjectedToolArg
from pydantic import BaseModel
from typing_extensions import Annotated, get_args, get_origin, get_type_hints

from streamgraph._compat.langgraph import peer_class, with_peer
from streamgraph.prebuilt._injected import (
    TOOL_RUNTIME,
    InjectedRuntime,
    InjectedState,
    InjectedStore,
    InjectedWriter,
    ToolRuntime,
)
from streamgraph.prebuilt._tool_errors import MissingStateKeyError, ToolInjectionError
from streamgraph.types import StreamWriter

_PEER_MODULE = "langgraph.prebuilt.tool_node"

_WRITER_MARKS = tuple(mark for mark in get_args(StreamWriter)[1:] if isinstance(mark, InjectedToolArg))

_NOT_OFFERED = ("self", "config", "run_manager", "callbacks", "args", "kwargs")
"""Parameters of a tool's function that langchain-core fills in, or that are not tool arguments."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a tool.

    Attributes:
        name: The name of the parameter.
        hint: The annotation; `Any` if there is none.
        required: True if the parameter has no default.
    """

    name: str
    hint: object
    required: bool


@dataclass(frozen=True)
class Injection:
    """Parameters of a tool that the node fills in.

    Attributes:
        states: Parameters that get a key of the state, or with `None` the whole state.
        stores: Parameters that get the store.
        runtimes: Parameters that get the runtime, with the class that the runtime must have.
        writers: Parameters that get the stream writer.
        hidden: All parameters that the model can neither see nor set, including those that the node does not fill in.
        optional: Hidden parameters that have a default.
    """

    states: Mapping[str, Optional[str]]
    stores: Tuple[str, ...]
    runtimes: Mapping[str, type]
    writers: Tuple[str, ...]
    hidden: Tuple[str, ...]
    optional: Tuple[str, ...]

    def without_hidden(self, args: Mapping[str, object]) -> Dict[str, object]:
        """Return the model's arguments without hidden parameters, which it must not set."""
        return {name: value for name, value in args.items() if name not in self.hidden}

    def values(self, tool: str, runtime: ToolRuntime, messages_key: str) -> Dict[str, object]:
        """Return the arguments to inject.

        Args:
            tool: The name of the tool, for errors.
            runtime: The source of the arguments.
            messages_key: The key of the messages if the state is a list of messages.

        Raises:
            ToolInjectionError: The tool needs a store and there is none, or needs keys and the state is a list.
            MissingStateKeyError: The state lacks a key.
        """
        found: Dict[str, object] = {}
        state = runtime.state
        if isinstance(state, list):
            wanted = [key for key in self.states.values() if key not in (None, messages_key)]
            if wanted:
                raise ToolInjectionError(
                    f"Invalid input to ToolNode. Tool {tool} requires graph state dict as input. "
                    f"State should contain fields {', '.join(map(str, wanted))}",
                    hint="A list of messages has no keys: give the node a state with these keys instead.",
                )
            state = {messages_key: state}
        for name, key in self.states.items():
            if key is None:
                found[name] = state
            elif _has(state, key):
                found[name] = state[key] if isinstance(state, collections.abc.Mapping) else getattr(state, key)
            elif name not in self.optional:
                raise MissingStateKeyError(
                    f"Tool {tool!r} asks for the key {key!r}, which the state does not have",
                    name=key,
                    known=state if isinstance(state, collections.abc.Mapping) else (),
                    hint=f"Write it before the tool is called, or give the parameter {name!r} a default.",
                )
        if self.stores and runtime.store is None:
            raise ToolInjectionError(
                "Cannot inject store into tools with InjectedStore annotations - please compile your graph with a store"
            )
        found.update(dict.fromkeys(self.stores, runtime.store))
        found.update(dict.fromkeys(self.writers, runtime.stream_writer))
        found.update({name: _as_instance(runtime, kind) for name, kind in self.runtimes.items()})
        return found


def read_injection(tool: BaseTool) -> Injection:
    """Return the parameters of a tool that the node fills in."""
    states: Dict[str, Optional[str]] = {}
    stores: List[str] = []
    runtimes: Dict[str, type] = {}
    writers: List[str] = []
    hidden: List[str] = []
    optional: List[str] = []
    state_classes = with_peer(InjectedState, _PEER_MODULE)
    store_classes = with_peer(InjectedStore, _PEER_MODULE)
    runtime_classes = with_peer(TOOL_RUNTIME, _PEER_MODULE, "ToolRuntime")
    for parameter in parameters_of(tool):
        name, marks = parameter.name, list(_marks(parameter.hint))
        mark = _marked(marks, (*state_classes, *store_classes, *runtime_classes, InjectedRuntime, InjectedWriter))
        if mark is None:
            mark = next((mark for mark in marks if mark in _WRITER_MARKS), None) or named_mark(parameter)
        if mark is None and not is_hidden(parameter):
            continue
        hidden.append(name)
        if not parameter.required:
            optional.append(name)
        if _is_a(mark, state_classes):
            states[name] = None if isinstance(mark, type) else cast("InjectedState", mark).field
        elif _is_a(mark, store_classes):
            stores.append(name)
        elif _is_a(mark, runtime_classes):
            runtimes[name] = cast("type", mark)
        elif isinstance(mark, InjectedRuntime):
            runtimes[name] = TOOL_RUNTIME
        elif mark is not None:
            writers.append(name)
    return Injection(states, tuple(stores), runtimes, tuple(writers), tuple(hidden), tuple(optional))


def parameters_of(tool: BaseTool) -> List[Parameter]:
    """Return the parameters in a tool's schema, and those that only its function has."""
    found: Dict[str, Parameter] = {}
    functions = [getattr(tool, "func", None), getattr(tool, "coroutine", None)]
    if not any(functions):
        functions = [type(tool)._run, type(tool)._arun]
    for parameter in [item for function in functions if function for item in function_parameters(function)]:
        found.setdefault(parameter.name, parameter)
    for parameter in _schema_parameters(tool):
        known = found.get(parameter.name)
        if known is None or not is_hidden(known):
            found[parameter.name] = parameter
        elif known.required and not parameter.required:
            found[parameter.name] = Parameter(known.name, known.hint, required=False)
    return list(found.values())


def function_parameters(function: Callable[..., object]) -> Iterator[Parameter]:
    """Yield the named parameters of a function that langchain-core does not fill in."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # Some builtins have no signature.
        return
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception:
        # One hint that cannot be evaluated makes `get_type_hints` fail for all of them.
        hints = {}
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or parameter.name in _NOT_OFFERED:
            continue
        hint = hints.get(parameter.name, parameter.annotation)
        if hint is parameter.empty or isinstance(hint, str):
            hint = Any
        yield Parameter(parameter.name, hint, parameter.default is parameter.empty)


def _schema_parameters(tool: BaseTool) -> Iterator[Parameter]:
    schema: Any = tool.args_schema
    if not inspect.isclass(schema):
        return
    if issubclass(schema, BaseModel):
        for name, info in schema.model_fields.items():
            hint: object = info.annotation
            for mark in info.metadata:
                hint = Annotated[hint, mark]
            yield Parameter(name, hint, info.is_required())
        return
    # A model of pydantic's version 1 interface, which does not keep `Annotated` metadata.
    old: Mapping[str, Any] = getattr(schema, "__fields__", {})
    for name, hint in get_type_hints(schema, include_extras=True).items():
        yield Parameter(name, hint, name in old and bool(old[name].required))


def _marks(hint: object) -> Iterator[object]:
    """Yield the markers of a hint: the metadata of `Annotated`, and the class itself."""
    origin: object = get_origin(hint)
    if origin is Annotated:
        inner, *marks = get_args(hint)
        yield from marks
        yield from _marks(inner)
    elif origin is Union:
        for option in get_args(hint):
            yield from _marks(option)
    elif isinstance(origin, type):
        yield origin
    elif isinstance(hint, type):
        yield hint


def _marked(marks: Sequence[object], classes: Tuple[type, ...]) -> object:
    """Return the first marker that is one of these classes or an instance of one, or `None`."""
    return next((mark for mark in marks if _is_a(mark, classes)), None)


def _is_a(mark: object, classes: Tuple[type, ...]) -> bool:
    return isinstance(mark, classes) or (isinstance(mark, type) and issubclass(mark, classes))


def is_hidden(parameter: Parameter) -> bool:
    """Return whether the annotation of a parameter hides it from the model."""
    classes = (InjectedToolArg, *with_peer(TOOL_RUNTIME, _PEER_MODULE, "ToolRuntime"))
    return _marked(list(_marks(parameter.hint)), classes) is not None


def named_mark(parameter: Parameter) -> Optional[InjectedToolArg]:
    """Return the marker implied by a parameter's name, or `None`.

    `writer` implies the stream writer only if the annotation allows it: the tool of a library may have a `writer` that
    is an author.
    """
    if parameter.name == "runtime":
        return InjectedRuntime()
    if parameter.name != "writer":
        return None
    hint = parameter.hint
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    callables = (Any, Callable, collections.abc.Callable)
    return InjectedWriter() if hint in callables or get_origin(hint) is collections.abc.Callable else None


def _has(state: object, key: str) -> bool:
    return key in state if isinstance(state, collections.abc.Mapping) else hasattr(state, key)


def _as_instance(runtime: ToolRuntime, kind: type) -> object:
    """Return the runtime as an instance of the class in the annotation, which may be LangGraph's."""
    peer = peer_class(_PEER_MODULE, "ToolRuntime")
    if peer is None or not issubclass(kind, peer):
        return runtime
    names = {item.name for item in fields(kind)}
    return kind(**{item.name: getattr(runtime, item.name) for item in fields(runtime) if item.name in names})
