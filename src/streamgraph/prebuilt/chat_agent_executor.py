"""Agent: a model and its tools in a loop."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence, Tuple, Type, TypeVar, Union

from langchain_core.language_models import LanguageModelLike
from langchain_core.tools import BaseTool
from typing_extensions import Literal

from streamgraph._keywords import CONFIG_SCHEMA, renamed_keywords
from streamgraph.errors import UnknownOptionError
from streamgraph.graph import END, START, CompiledStateGraph, StateGraph
from streamgraph.prebuilt._agent_model import AgentModel, Model, Prompt, Tool, is_bound
from streamgraph.prebuilt._agent_nodes import AFTER, AGENT, BEFORE, STRUCTURED, TOOLS, ModelNode, Routes, StructuredNode
from streamgraph.prebuilt._agent_state import (
    AgentState,
    AgentStatePydantic,
    AgentStateWithStructuredResponse,
    AgentStateWithStructuredResponsePydantic,
    StructuredResponse,
    StructuredResponseSchema,
    check_state_schema,
    with_model_input,
)
from streamgraph.prebuilt.human_in_the_loop import InterruptOn
from streamgraph.prebuilt.tool_node import ToolNode
from streamgraph.types import All, Checkpointer

__all__ = [
    "AgentState",
    "AgentStatePydantic",
    "AgentStateWithStructuredResponse",
    "AgentStateWithStructuredResponsePydantic",
    "Prompt",
    "StructuredResponse",
    "StructuredResponseSchema",
    "create_react_agent",
    "create_tool_calling_executor",
]

StateSchema = TypeVar("StateSchema", bound=Union[AgentState, AgentStatePydantic])
"""The state of an agent, for functions that are generic in it."""

StateSchemaType = Type[StateSchema]
"""The class of an agent's state."""


@renamed_keywords(config_schema=CONFIG_SCHEMA)
def create_react_agent(
    model: Model,
    tools: Union[Sequence[Union[Tool, Callable[..., object]]], ToolNode],
    *,
    prompt: Optional[Prompt] = None,
    response_format: Union[StructuredResponseSchema, Tuple[str, StructuredResponseSchema], None] = None,
    pre_model_hook: object = None,
    post_model_hook: object = None,
    state_schema: Any = None,
    context_schema: Optional[Type[Any]] = None,
    checkpointer: Checkpointer = None,
    store: object = None,
    interrupt_before: Union[All, Sequence[str], None] = None,
    interrupt_after: Union[All, Sequence[str], None] = None,
    interrupt_on: Optional[InterruptOn] = None,
    debug: bool = False,
    version: Literal["v1", "v2"] = "v2",
    name: Optional[str] = None,
) -> CompiledStateGraph:
    """Make an agent: a graph in which a model calls tools until it has an answer.

    ::

        agent = create_react_agent(model, [look_up], prompt="You are a weather service.")
        for token, metadata in agent.stream({"messages": [("user", "Rome?")]}, stream_mode="messages"):
            ...

    Its nodes are `agent`, `tools`, `pre_model_hook`, `post_model_hook` and `generate_structured_response`, as far as
    they are needed.

    Args:
        model: A chat model; the name of one, as in `"openai:gpt-4o"`, which needs the package langchain; or a function,
            sync or async, of the state and the `Runtime`, which returns a model bound to its tools.
        tools: Tools, functions to make tools of, and built-in tools of the provider as dicts; or a `ToolNode`.
        prompt: A string or `SystemMessage` to prepend to the messages, or a function or Runnable that makes the whole
            input of the model from the state. A function's parameters `config`, `runtime`, `store` and `writer` are
            filled in by name.
        response_format: The schema (a pydantic model, a TypedDict or a JSON schema) of a final answer, which the model
            gives without tools after the last step; or a pair of a system prompt for it and the schema. The answer is
            in the state as `structured_response`.
        pre_model_hook: A node that runs before each model call. It may write `messages`, or `llm_input_messages`, which
            then replaces `messages` as the model's input.
        post_model_hook: A node that runs after each model call; tool calls that it answers are not run.
        state_schema: The state, with at least the keys of `AgentState`, and of `AgentStateWithStructuredResponse` if
            there is a `response_format`.
        context_schema: The class of the object passed to a run as `context=`.
        checkpointer: See `StateGraph.compile`.
        store: An object that tools and nodes get as the store.
        interrupt_before: See `StateGraph.compile`.
        interrupt_after: See `StateGraph.compile`.
        debug: Print the updates and values of every run.
        interrupt_on: The tools whose calls a person reviews before they run; see `ToolNode`.
        version: `"v2"` runs every tool call as a separate task, `"v1"` all calls of a message in one task.
        name: The name of the graph and of the messages that its model writes.

    Returns:
        The graph. It takes and returns a state with `messages`.

    Raises:
        UnknownOptionError: The version does not exist.
        StateSchemaError: The state lacks keys.
        ValueError: The model is bound to other tools, `interrupt_on` names an unknown tool, or is given beside a
            `ToolNode`.
        TypeError: The prompt has a wrong type.
    """
    if version not in ("v1", "v2"):
        raise UnknownOptionError(
            f"Invalid version {version}. Supported versions are 'v1' and 'v2'", name=version, known=("v1", "v2")
        )
    structured = response_format is not None
    if state_schema is None:
        state_schema = AgentStateWithStructuredResponse if structured else AgentState
    else:
        check_state_schema(state_schema, structured=structured)
    node, offered = _tools(tools, interrupt_on)
    asked = AgentModel(model, offered, prompt)
    start = AGENT if pre_model_hook is None else BEFORE
    end = STRUCTURED if structured else END
    final_tools = [tool.name for tool in node.tools_by_name.values() if tool.return_direct]
    routes = Routes(start, end, parallel=version == "v2", final_tools=final_tools)

    builder = StateGraph(state_schema, context_schema)
    builder.add_edge(START, start)
    if pre_model_hook is None:
        builder.add_node(AGENT, ModelNode(asked, name))
    else:
        builder.add_node(AGENT, ModelNode(asked, name), input_schema=with_model_input(state_schema))
        builder.add_node(BEFORE, pre_model_hook).add_edge(BEFORE, AGENT)
    if node.tools_by_name:
        builder.add_node(TOOLS, node)
        if final_tools:
            builder.add_conditional_edges(TOOLS, routes.after_tools, [start, END])
        else:
            builder.add_edge(TOOLS, start)
    last = AGENT
    if post_model_hook is not None:
        builder.add_node(AFTER, post_model_hook).add_edge(AGENT, AFTER)
        last = AFTER
    if response_format is not None:
        builder.add_node(STRUCTURED, StructuredNode(asked, response_format)).add_edge(STRUCTURED, END)
    if not node.tools_by_name:
        builder.add_edge(last, end)
    elif post_model_hook is not None:
        builder.add_conditional_edges(AFTER, routes.after_hook, [start, TOOLS, end])
    else:
        builder.add_conditional_edges(AGENT, routes.after_model, [TOOLS, end])
    return builder.compile(
        checkpointer,
        store=store,
        interrupt_before=interrupt_before,
        interrupt_after=interrupt_after,
        debug=debug,
        name=name,
    )


def _tools(
    given: Union[Sequence[Union[Tool, Callable[..., object]]], ToolNode], interrupt_on: Optional[InterruptOn]
) -> Tuple[ToolNode, List[Tool]]:
    """Return the tool node, and all tools offered to the model."""
    if isinstance(given, ToolNode):
        if interrupt_on is not None:
            raise ValueError(
                "create_react_agent() got a ToolNode and interrupt_on=...: give interrupt_on to the ToolNode, which "
                "runs the tools."
            )
        return given, list(given.tools_by_name.values())
    node = ToolNode([tool for tool in given if not isinstance(tool, dict)], interrupt_on=interrupt_on)
    return node, [*node.tools_by_name.values(), *(tool for tool in given if isinstance(tool, dict))]


create_tool_calling_executor = create_react_agent
"""The older name of `create_react_agent`."""


def _should_bind_tools(model: LanguageModelLike, tools: Sequence[BaseTool], num_builtin: int = 0) -> bool:
    """Return whether a model has still to be bound to its tools; langgraph-supervisor imports this.

    Args:
        model: The model.
        tools: The tools, without built-in ones of the provider.
        num_builtin: The number of built-in tools.

    Raises:
        ValueError: The model is bound to other tools.
    """
    builtin: List[Tool] = [{"type": "builtin"}] * num_builtin
    return not is_bound(model, [*tools, *builtin])
