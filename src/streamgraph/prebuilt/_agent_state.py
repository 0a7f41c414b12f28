"""States of agents."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional, Sequence, Type, Union

from langchain_core.messages import BaseMessage, convert_to_messages
from pydantic import BaseModel, BeforeValidator, Field, create_model
from typing_extensions import Annotated, NotRequired, TypedDict, get_type_hints

from streamgraph.errors import StateSchemaError
from streamgraph.graph import add_messages
from streamgraph.managed import RemainingSteps

__all__ = [
    "AgentState",
    "AgentStatePydantic",
    "AgentStateWithStructuredResponse",
    "AgentStateWithStructuredResponsePydantic",
    "StructuredResponse",
    "StructuredResponseSchema",
]

State = Any
"""A state as declared by the user: a dict, a pydantic model or a dataclass."""

StructuredResponse = Union[Dict[str, Any], BaseModel]
"""The final answer of an agent with a `response_format`."""

StructuredResponseSchema = Union[Dict[str, Any], Type[Any]]
"""Schema of the final answer: a JSON schema, a pydantic model or a TypedDict."""


class AgentState(TypedDict):
    """State of an agent: the conversation and the number of remaining steps."""

    messages: Annotated[Sequence[BaseMessage], add_messages]
    remaining_steps: NotRequired[RemainingSteps]


def _as_messages(given: object) -> object:
    return convert_to_messages(given) if isinstance(given, list) else given


class AgentStatePydantic(BaseModel):
    """State of an agent as a pydantic model."""

    # Input is validated before the reducer converts shorthands such as `("user", "Hi")` to messages.
    messages: Annotated[Sequence[BaseMessage], BeforeValidator(_as_messages), add_messages]
    remaining_steps: RemainingSteps = 25


class AgentStateWithStructuredResponse(AgentState):
    """State of an agent with a structured final answer."""

    structured_response: StructuredResponse


class AgentStateWithStructuredResponsePydantic(AgentStatePydantic):
    """State of an agent with a structured final answer, as a pydantic model."""

    structured_response: Optional[StructuredResponse] = None


def check_state_schema(schema: type, *, structured: bool) -> None:
    """Check that a state schema has the keys that an agent needs.

    Args:
        schema: The user's state schema.
        structured: True if the agent has a structured final answer.

    Raises:
        StateSchemaError: Keys are missing.
    """
    required = {"messages", "remaining_steps"} | ({"structured_response"} if structured else set())
    missing = required - set(get_type_hints(schema))
    if missing:
        raise StateSchemaError(
            f"Missing required key(s) {missing} in state_schema",
            hint="Derive the state from AgentState or AgentStatePydantic, or from AgentStateWithStructuredResponse.",
        )


def with_model_input(schema: type) -> type:
    """Return the state schema extended by `llm_input_messages`, in which a hook passes the model's messages."""
    name = "AgentInput"
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return create_model(name, __base__=schema, llm_input_messages=(List[BaseMessage], Field(default_factory=list)))
    if dataclasses.is_dataclass(schema):
        added: Any = ("llm_input_messages", List[BaseMessage], dataclasses.field(default_factory=list))
        bases: Any = (schema,)
        return dataclasses.make_dataclass(name, [added], bases=bases)
    hints: Dict[str, object] = get_type_hints(schema, include_extras=True)
    make: Any = TypedDict
    made: type = make(name, {**hints, "llm_input_messages": List[BaseMessage]}, total=False)
    return made


def value_of(state: object, key: str) -> Any:
    """Return the value of a state's key, or `None` if it has no such key."""
    return state.get(key) if isinstance(state, dict) else getattr(state, key, None)


def with_messages(state: State, messages: Sequence[BaseMessage]) -> State:
    """Return a copy of a state with other messages."""
    if isinstance(state, dict):
        return {**state, "messages": messages}
    if isinstance(state, BaseModel):
        return state.model_copy(update={"messages": messages})
    return dataclasses.replace(state, messages=messages)
