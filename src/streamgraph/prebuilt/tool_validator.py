"""Node that checks the arguments of tool calls without running tools; deprecated."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type, Union, cast

from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config, get_executor_for_config, merge_configs
from langchain_core.tools import BaseTool, create_schema_from_function
from pydantic import BaseModel, ValidationError
from typing_extensions import deprecated

from streamgraph.errors import GraphBuildError, UnknownOptionError
from streamgraph.warnings import LangGraphDeprecatedSinceV10

__all__ = ["ValidationNode"]

FormatError = Callable[[BaseException, ToolCall, Type[BaseModel]], str]


def _said(error: BaseException, call: ToolCall, schema: Type[BaseModel]) -> str:
    return f"{error!r}\n\nRespond after fixing all validation errors."


@deprecated(
    "ValidationNode is deprecated. Use `create_agent` of `langchain.agents`, or a ToolNode with `handle_tool_errors`, "
    "instead.",
    category=LangGraphDeprecatedSinceV10,
)
class ValidationNode(Runnable[Any, Any]):
    """Checks the arguments of the tool calls in the last AI message, and answers each call with a `ToolMessage`.

    The answer holds the checked arguments as JSON, or says what is wrong with them; in that case the message has
    `additional_kwargs={"is_error": True}`, by which a branch can route back to the model.

    Args:
        schemas: The tools: pydantic models, tools with one as their `args_schema`, or functions.
        format_error: Returns the text of an answer, given the error, the tool call and the model.
        name: The name of the node.
        tags: Tags for everything that runs in the node.

    Attributes:
        schemas_by_name: The pydantic models by the names of the tools.

    Raises:
        GraphBuildError: An element of `schemas` is none of these.
    """

    name: str

    def __init__(
        self,
        schemas: Sequence[Union[BaseTool, Type[BaseModel], Callable[..., object]]],
        *,
        format_error: Optional[FormatError] = None,
        name: str = "validation",
        tags: Optional[List[str]] = None,
    ) -> None:
        self.name = name
        self.tags = tags
        self.schemas_by_name: Dict[str, Type[BaseModel]] = dict(map(_named_model, schemas))
        self._format_error = format_error or _said

    def invoke(self, input: Any, config: Optional[RunnableConfig] = None, **kwargs: Any) -> Any:  # noqa: A002
        """Check the tool calls of an input.

        Args:
            input: A state with `messages`, or a list of messages.
            config: The config; `max_concurrency` limits how many calls are checked at once.
            **kwargs: Ignored.

        Returns:
            `{"messages": [ToolMessage, ...]}`; for a list of messages, a list.

        Raises:
            ValueError: There is no message, or the last one is not from a model.
            UnknownOptionError: A call is for a tool that this node does not know.
        """
        messages = input if isinstance(input, list) else input.get("messages")
        if not messages:
            raise ValueError("No message found in input: a ValidationNode checks the calls of the last AI message.")
        last = messages[-1]
        if not isinstance(last, AIMessage):
            raise ValueError(f"Last message is not an AIMessage, but has the type {last.type!r}.")
        config = merge_configs(ensure_config(config), {"tags": self.tags or []})
        with get_executor_for_config(config) as executor:
            answers = list(executor.map(self._answer, last.tool_calls))
        return answers if isinstance(input, list) else {"messages": answers}

    def _answer(self, call: ToolCall) -> ToolMessage:
        name = call["name"]
        model = self.schemas_by_name.get(name)
        if model is None:
            raise UnknownOptionError(f"There is no schema for tool {name!r}", name=name, known=self.schemas_by_name)
        about: Dict[str, str] = {"name": name, "tool_call_id": cast("str", call["id"])}
        try:
            return ToolMessage(model.model_validate(call["args"]).model_dump_json(), **about)
        except ValidationError as error:
            said = self._format_error(error, call, model)
            return ToolMessage(said, additional_kwargs={"is_error": True}, **about)


def _named_model(given: Any) -> Tuple[str, Type[BaseModel]]:
    """Return the name and the pydantic model of a tool's arguments.

    Raises:
        GraphBuildError: There is none.
    """
    if isinstance(given, BaseTool):
        model: object = given.args_schema
        if model is None:
            raise GraphBuildError(f"Tool {given.name} does not have an args_schema defined")
        name = given.name
    elif isinstance(given, type):
        model, name = given, given.__name__
    elif callable(given):
        return given.__name__, create_schema_from_function("Validation", given)
    else:
        model, name = given, repr(given)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return name, model
    raise GraphBuildError(
        f"Unsupported input to ValidationNode: {name} is described by {model!r:.80}",
        hint="Give pydantic models, tools with one as their args_schema, or functions.",
    )
