"""An agent: a model and its tools in a loop."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence, Tuple, Type, Union

from typing_extensions import Literal

from streamgraph.errors import UnknownOptionError
from streamgraph.graph import END, START, CompiledStateGraph, StateGraph
from streamgraph.prebuilt._agent_model import AgentModel, Model, Prompt, Tool
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
from streamgraph.prebuilt.tool_node import ToolNode

__all__ = [
    "AgentState",
    "AgentStatePydantic",
    "AgentStateWithStructuredResponse",
    "AgentStateWithStructuredResponsePydantic",
    "Prompt",
    "StructuredResponse",
    "StructuredResponseSchema",
    "create_react_agent",
]


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
    checkpointer: None = None,
    store: object = None,
    interrupt_before: None = None,
    interrupt_after: None = None,
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
    there is something for them to do.

    Args:
        model: A chat model; the name of one, as in `"openai:gpt-4o"`, which takes the package langchain; or a
            function, sync or async, of the state and the `Runtime`, which returns a model bound to its tools.
        tools: Tools, functions to make tools of, and tools of the provider as dicts; or a `ToolNode`.
        prompt: What the model is told besides the messages: a text or `SystemMessage` that goes before them, or a
            function or Runnable that makes all of what the model sees of the state. A function's parameters `config`,
            `runtime`, `store` and `writer` are filled in by name.
        response_format: A schema (a pydantic model, a TypedDict or a JSON schema) for a final answer, which the
            model, without tools, gives after the last step; or a pair of a system prompt for it and the schema. It
            is in the state as `structured_response`.
        pre_model_hook: A node that runs before the model each time. It may write `llm_input_messages`, which the
            model then sees in place of `messages`, or write `messages`.
        post_model_hook: A node that runs after the model each time; calls that it answers are not run.
        state_schema: The state, with at least the keys of `AgentState`, and of `AgentStateWithStructuredResponse`
            if there is a `response_format`.
        context_schema: The class of the object that a run can be given as `context=`.
        checkpointer: See `StateGraph.compile`.
        store: The object that tools and nodes get as the store.
        interrupt_before: See `StateGraph.compile`.
        interrupt_after: See `StateGraph.compile`.
        debug: Print what happens.
        version: `"v2"` runs every tool call as a task of its own, `"v1"` all calls of a message in one.
        name: The name of the graph and of the messages that its model writes.

    Returns:
        The graph. It takes and returns a state with `messages`.

    Raises:
        UnknownOptionError: There is no such version.
        StateSchemaError: The state lacks keys.
        ValueError: The model is bound to other tools.
        TypeError: The prompt cannot be one.
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
    node, offered = _tools(tools)
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


def _tools(given: Union[Sequence[Union[Tool, Callable[..., object]]], ToolNode]) -> Tuple[ToolNode, List[Tool]]:
    """Return the node that runs the tools, and everything that is offered to the model."""
    if isinstance(given, ToolNode):
        return given, list(given.tools_by_name.values())
    node = ToolNode([tool for tool in given if not isinstance(tool, dict)])
    return node, [*node.tools_by_name.values(), *(tool for tool in given if isinstance(tool, dict))]
