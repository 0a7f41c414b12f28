"""Prepare tools for the tool node."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Type, Union

from langchain_core.messages import ToolMessage
from langchain_core.messages.tool import ToolOutputMixin
from langchain_core.tools import BaseTool, InjectedToolArg
from langchain_core.tools import tool as make_tool
from pydantic import BaseModel, create_model
from typing_extensions import Annotated

from streamgraph._compat.langchain_core import set_run
from streamgraph._langchain.tool_events import PausedCall
from streamgraph._peers import is_command, own_error
from streamgraph.errors import GraphInterrupt
from streamgraph.prebuilt._injection import Injection, function_parameters, is_hidden, named_mark, read_injection


def as_tool(given: Union[BaseTool, Callable[..., object]]) -> BaseTool:
    """Return `given` if it is a tool, else make a tool of the function.

    Parameters of a function that are injected by name (`runtime`, `writer`) are hidden from the model like annotated
    ones.

    Raises:
        ValueError: The function has no docstring, which describes the tool to the model.
    """
    if isinstance(given, BaseTool):
        return given
    named = {item.name: named_mark(item) for item in function_parameters(given) if not is_hidden(item)}
    marks = {name: mark for name, mark in named.items() if mark is not None}
    return make_tool(_hiding(given, marks) if marks else given)


def _hiding(function: Callable[..., Any], marks: Mapping[str, InjectedToolArg]) -> Callable[..., object]:
    """Return the function with these markers as annotations of its parameters."""
    if inspect.iscoroutinefunction(function):

        async def acall(*args: object, **kwargs: object) -> object:
            return await function(*args, **kwargs)

        wrapper: Any = acall
    else:

        def call(*args: object, **kwargs: object) -> object:
            return function(*args, **kwargs)

        wrapper = call
    functools.update_wrapper(wrapper, function)
    hints = {name: Annotated[Any, mark] for name, mark in marks.items()}
    signature = inspect.signature(function)
    wrapper.__annotations__ = {**getattr(function, "__annotations__", {}), **hints}
    wrapper.__signature__ = signature.replace(
        parameters=[
            parameter.replace(annotation=hints.get(parameter.name, parameter.annotation))
            for parameter in signature.parameters.values()
        ]
    )
    return wrapper  # type: ignore[no-any-return]


@dataclass(frozen=True)
class RunnableTool:
    """A tool prepared for the node.

    Attributes:
        tool: The tool as the user gave it.
        runner: The tool to invoke; it preserves results that langchain-core would convert to text.
        injection: The parameters to inject.
        async_only: True if the tool can only be awaited.
    """

    tool: BaseTool
    runner: BaseTool
    injection: Injection
    async_only: bool


def runnable_tool(tool: BaseTool) -> RunnableTool:
    """Prepare a tool for the node."""
    injection = read_injection(tool)
    async_only = getattr(tool, "coroutine", None) is not None and getattr(tool, "func", None) is None
    return RunnableTool(tool, _runner(tool, injection), injection, async_only)


def _runner(tool: BaseTool, injection: Injection) -> BaseTool:
    """Return a copy of a tool that passes `Command`s, and lists of them, through.

    The original tool does the work, so that the state in its attributes is kept.
    """
    runner = tool.model_copy(update=_accepting(tool, injection))
    run, arun = tool._run, tool._arun

    @functools.wraps(run)
    def run_tool(*args: Any, **kwargs: Any) -> object:
        try:
            return _kept(tool, run(*args, **kwargs))
        except Exception as error:
            return _paused(tool, error)

    @functools.wraps(arun)
    async def arun_tool(*args: Any, **kwargs: Any) -> object:
        try:
            return _kept(tool, await arun(*args, **kwargs))
        except Exception as error:
            return _paused(tool, error)

    set_run(runner, run_tool, arun_tool)
    return runner


def _accepting(tool: BaseTool, injection: Injection) -> Dict[str, Type[BaseModel]]:
    """Return an `args_schema` that accepts injected parameters missing from the user's schema.

    Before version 1.0 langchain-core drops arguments that the schema does not have.
    """
    schema = tool.args_schema
    if not (inspect.isclass(schema) and issubclass(schema, BaseModel)):
        return {}
    filled = (*injection.states, *injection.stores, *injection.runtimes, *injection.writers)
    missing = {name: (Annotated[Any, InjectedToolArg()], None) for name in filled if name not in schema.model_fields}
    if not missing:
        return {}
    fields: Any = missing
    return {"args_schema": create_model(schema.__name__, __base__=schema, **fields)}


def _paused(tool: BaseTool, error: Exception) -> object:
    """Return what ends a call that asks a question, in the form of the tool's results; else raise `error`."""
    if not isinstance(own_error(error), GraphInterrupt):
        raise error
    ended = PausedCall(error)
    return (ended, None) if tool.response_format == "content_and_artifact" else ended


def _kept(tool: BaseTool, result: object) -> object:
    if tool.response_format == "content_and_artifact" and isinstance(result, tuple) and len(result) == 2:
        return _marked(result[0]), result[1]
    return _marked(result)


class ToolOutputs(List[object], ToolOutputMixin):
    """Several results of one tool call, `Command`s and messages."""


def _marked(result: object) -> object:
    """Return a result in a form that langchain-core does not convert to text."""
    if isinstance(result, ToolOutputMixin):
        return result
    if isinstance(result, list) and result and all(map(_is_output, result)):
        return ToolOutputs(result)
    return result


def _is_output(item: object) -> bool:
    return isinstance(item, ToolMessage) or is_command(item)
