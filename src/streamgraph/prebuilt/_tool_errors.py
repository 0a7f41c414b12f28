"""Errors of tool calls, which are reported to the model in a message or raised to the caller."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, Type, Union, cast

from langchain_core.messages import ToolCall, ToolMessage
from langchain_core.tools import ToolException
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import get_args, get_origin, get_type_hints

from streamgraph._peers import passes_through
from streamgraph.errors import GraphBubbleUp, GraphError, is_invalid_resume

__all__ = [
    "INVALID_TOOL_NAME_ERROR_TEMPLATE",
    "TOOL_CALL_ERROR_TEMPLATE",
    "TOOL_EXECUTION_ERROR_TEMPLATE",
    "TOOL_INVOCATION_ERROR_TEMPLATE",
    "HandleToolErrors",
    "MissingStateKeyError",
    "ToolInjectionError",
    "ToolInvocationError",
    "ToolNodeInputError",
    "ToolResultError",
]

INVALID_TOOL_NAME_ERROR_TEMPLATE = "Error: {requested_tool} is not a valid tool, try one of [{available_tools}]."
"""Message to the model if it calls an unknown tool."""

TOOL_CALL_ERROR_TEMPLATE = "Error: {error}\n Please fix your mistakes."
"""Message to the model about an exception, unless the user gives a text or function."""

TOOL_EXECUTION_ERROR_TEMPLATE = (
    "Error executing tool '{tool_name}' with kwargs {tool_kwargs} with error:\n {error}\n"
    " Please fix the error and try again."
)
"""Message to the model about an exception of a tool, for error handlers of the user's own."""

TOOL_INVOCATION_ERROR_TEMPLATE = (
    "Error invoking tool '{tool_name}' with kwargs {tool_kwargs} with error:\n {error}\n"
    " Please fix the error and try again."
)
"""Message to the model about arguments that do not fit the tool."""


class ToolNodeInputError(GraphError, ValueError):
    """A `ToolNode` was given an input without an AI message or tool calls."""


class ToolInjectionError(GraphError, ValueError):
    """A tool needs a store that does not exist, or keys of a state that has none."""


class MissingStateKeyError(GraphError, KeyError):
    """A tool needs a key that the state does not have, and its parameter has no default."""


class ToolResultError(GraphError, ValueError):
    """A tool's result cannot be written: a `Command` has a wrong form or lacks the answer to the call."""


class ToolInvocationError(ToolException):
    """A model called a tool with invalid arguments.

    The message contains only information that the model has: its own arguments and their errors.

    Args:
        tool_name: The name of the tool.
        source: The validation error.
        tool_kwargs: The model's arguments.
        filtered_errors: The errors about the model's arguments, in the form of pydantic's `errors()`; by default all
            errors of `source`.

    Attributes:
        message: The message to the model.
    """

    def __init__(
        self,
        tool_name: str,
        source: ValidationError,
        tool_kwargs: Mapping[str, Any],
        filtered_errors: Optional[Sequence[ErrorDetails]] = None,
    ) -> None:
        errors = source.errors() if filtered_errors is None else filtered_errors
        text = "\n".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in errors)
        self.message = TOOL_INVOCATION_ERROR_TEMPLATE.format(
            tool_name=tool_name, tool_kwargs=dict(tool_kwargs), error=text
        )
        self.tool_name = tool_name
        self.tool_kwargs = tool_kwargs
        self.source = source
        self.filtered_errors = filtered_errors
        super().__init__(self.message)


def invocation_error(call: ToolCall, error: Exception, hidden: Sequence[str]) -> ToolInvocationError:
    """Convert a validation error to one that contains only the model's arguments.

    Args:
        call: The model's tool call.
        error: A `ValidationError` of pydantic, of its version 1 or 2 interface.
        hidden: The parameters that the model does not see.
    """
    source = cast("ValidationError", error)
    errors = [item for item in source.errors() if not item["loc"] or item["loc"][0] not in hidden]
    shown = {name: value for name, value in call["args"].items() if name not in hidden}
    return ToolInvocationError(call["name"], source, shown, errors)


def is_validation_error(error: BaseException) -> bool:
    """Return whether `error` is pydantic's `ValidationError`, of its version 1 or 2 interface.

    That of an answer to a question which does not fit is the fault of who answers, and not of the model.
    """
    if is_invalid_resume(error):
        return False
    return isinstance(error, ValidationError) or (
        type(error).__name__ == "ValidationError" and type(error).__module__.startswith("pydantic.")
    )


def _invocation_errors_only(error: ToolInvocationError) -> str:
    """Return the message about invalid arguments; the annotation makes other exceptions be raised."""
    return error.message


HandleToolErrors = Union[None, bool, str, Callable[..., object], Type[BaseException], Tuple[Type[BaseException], ...]]

DEFAULT_HANDLER: Callable[[ToolInvocationError], str] = _invocation_errors_only


class ErrorHandler:
    """Converts the exceptions selected by the user to messages for the model.

    Args:
        handle: The user's `handle_tool_errors`, see `ToolNode`.

    Raises:
        ValueError: `handle` is a function whose parameter is annotated with other classes than exceptions.
    """

    def __init__(self, handle: HandleToolErrors) -> None:
        self._types: Tuple[Type[BaseException], ...]
        self._text: Callable[[BaseException], object] = _default_text
        if not handle:
            self._types = ()
        elif isinstance(handle, str):
            fixed = handle
            self._types, self._text = (Exception,), lambda error: fixed
        elif isinstance(handle, tuple):
            self._types = handle
        elif isinstance(handle, type) and issubclass(handle, BaseException):
            self._types = (handle,)
        elif callable(handle):
            function: Callable[..., object] = handle
            self._types, self._text = _handled_by(function), function
        else:
            self._types = (Exception,)

    def message(self, error: Exception, call: ToolCall) -> ToolMessage:
        """Return the message that answers a failed call.

        Args:
            error: The exception of the call.
            call: The tool call.

        Raises:
            Exception: `error` itself, if it is not to be handled.
        """
        flows = isinstance(error, GraphBubbleUp) or passes_through(error) or is_invalid_resume(error)
        if flows or not isinstance(error, self._types):
            raise error
        return error_message(call, self._text(error))


def _default_text(error: BaseException) -> str:
    return TOOL_CALL_ERROR_TEMPLATE.format(error=repr(error))


def error_message(call: ToolCall, text: object) -> ToolMessage:
    """Return the message that reports an error of a call to the model."""
    content = text if isinstance(text, (str, list)) else str(text)
    return ToolMessage(content=content, name=call["name"], tool_call_id=call["id"], status="error")


def unknown_tool(call: ToolCall, known: Sequence[str]) -> ToolMessage:
    """Return the message that answers a call of an unknown tool."""
    text = INVALID_TOOL_NAME_ERROR_TEMPLATE.format(requested_tool=call["name"], available_tools=", ".join(known))
    return error_message(call, text)


def _handled_by(handler: Callable[..., object]) -> Tuple[Type[BaseException], ...]:
    """Return the exceptions that a function handles, from the annotation of its first parameter."""
    function: object = handler
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function):
        function = type(function).__call__.__get__(function)
    try:
        names = list(inspect.signature(handler).parameters)
        hints: Dict[str, object] = get_type_hints(function)
    except (TypeError, ValueError, NameError):
        # A builtin without a signature, or hints that cannot be evaluated: treated as not annotated.
        return (Exception,)
    hint = hints.get(names[0], Exception) if names else Exception
    if hint is Any:
        return (Exception,)
    options: Sequence[object] = get_args(hint) if _is_union(hint) else (hint,)
    kinds = tuple(option for option in options if isinstance(option, type) and issubclass(option, BaseException))
    if len(kinds) == len(options):
        return kinds
    raise ValueError(
        "Arbitrary types are not supported in the error handler signature. Annotate the error with an exception "
        "class, as in `def handle(error: ValueError)`, or with a union of such, as in "
        f"`def handle(error: Union[ValueError, TypeError])`. Got {hint!r}."
    )


def _is_union(hint: object) -> bool:
    origin: object = get_origin(hint)
    return origin is Union or getattr(origin, "__name__", "") == "UnionType"
