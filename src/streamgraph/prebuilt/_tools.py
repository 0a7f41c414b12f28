"""Tools as the node runs them."""

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
from streamgraph.prebuilt._injection import Injection, function_parameters, is_hidden, named_mark, read_injection
from streamgraph.prebuilt._peers import is_command


def as_tool(given: Union[BaseTool, Callable[..., object]]) -> BaseTool:
    """Return a tool as it is, and make one of a function.

    A parameter of a function that is filled in because of its name (`runtime`, `writer`) is hidden from the model
    as if it were annotated.

    Raises:
        ValueError: The function has no docstring, which would tell the model what the tool is for.
    """
    if isinstance(given, BaseTool):
        return given
    named = {item.name: named_mark(item) for item in function_parameters(given) if not is_hidden(item)}
    marks = {name: mark for name, mark in named.items() if mark is not None}
    return make_tool(_hiding(given, marks) if marks else given)


def _hiding(function: Callable[..., Any], marks: Mapping[str, InjectedToolArg]) -> Callable[..., object]:
    """Return the function with parameters annotated by these marks."""
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
    """A tool with what the node needs to run it.

    Attributes:
        tool: The tool as the user gave it.
        runner: What is invoked: the tool, with results that langchain-core would turn into text kept.
        injection: What is filled in.
        async_only: Whether it can only be awaited.
    """

    tool: BaseTool
    runner: BaseTool
    injection: Injection
    async_only: bool


def runnable_tool(tool: BaseTool) -> RunnableTool:
    """Return a tool with what the node needs to run it."""
    injection = read_injection(tool)
    async_only = getattr(tool, "coroutine", None) is not None and getattr(tool, "func", None) is None
    return RunnableTool(tool, _runner(tool, injection), injection, async_only)


def _runner(tool: BaseTool, injection: Injection) -> BaseTool:
    """Return a copy of a tool that does the same and hands `Command`s, and lists of them, through.

    The tool itself does the work, so that what it keeps in its attributes stays with it.
    """
    runner = tool.model_copy(update=_accepting(tool, injection))
    run, arun = tool._run, tool._arun

    @functools.wraps(run)
    def run_tool(*args: Any, **kwargs: Any) -> object:
        return _kept(tool, run(*args, **kwargs))

    @functools.wraps(arun)
    async def arun_tool(*args: Any, **kwargs: Any) -> object:
        return _kept(tool, await arun(*args, **kwargs))

    set_run(runner, run_tool, arun_tool)
    return runner


def _accepting(tool: BaseTool, injection: Injection) -> Dict[str, Type[BaseModel]]:
    """Return an `args_schema` that lets through what is injected but not in the schema that the user gave.

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


def _kept(tool: BaseTool, result: object) -> object:
    if tool.response_format == "content_and_artifact" and isinstance(result, tuple) and len(result) == 2:
        return _marked(result[0]), result[1]
    return _marked(result)


class ToolOutputs(List[object], ToolOutputMixin):
    """Several results of one tool call, `Command`s and messages."""


def _marked(result: object) -> object:
    """Return a result in a form that langchain-core does not turn into text."""
    if isinstance(result, ToolOutputMixin):
        return result
    if isinstance(result, list) and result and all(map(_is_output, result)):
        return ToolOutputs(result)
    return result


def _is_output(item: object) -> bool:
    return isinstance(item, ToolMessage) or is_command(item)
