"""What requests of the thread stream, useChat, AG-UI and OpenAI's clients hold, as far as the server reads it."""

from __future__ import annotations

from typing import Dict, List, Optional, Union

from pydantic import Field
from typing_extensions import Annotated, Literal, Required, TypedDict

Object = Dict[str, object]


class ChatBody(TypedDict, total=False):
    """A conversation for a chat completion."""

    model: Required[str]
    messages: Required[List[Object]]
    stream: Optional[bool]
    stream_options: Optional[Object]
    response_format: Optional[Object]
    tools: Optional[List[Object]]
    tool_choice: Union[str, Object, None]
    n: Optional[int]
    metadata: Optional[Object]


class ResponseBody(TypedDict, total=False):
    """What a response is to answer."""

    model: Required[str]
    input: Required[Union[str, List[Object]]]
    text: Optional[Object]
    tools: Optional[List[Object]]
    tool_choice: Union[str, Object, None]
    instructions: Optional[str]
    metadata: Optional[Object]
    stream: Optional[bool]
    background: Optional[bool]
    previous_response_id: Optional[str]
    store: Optional[bool]


class ResponseQuery(TypedDict, total=False):
    """How to read a response again."""

    stream: Literal["true", "false", "True", "False", ""]
    starting_after: Annotated[int, Field(ge=0, le=10**9)]


class FilterQuery(TypedDict, total=False):
    """Which nodes and tags a stream shows."""

    include_nodes: List[str]
    exclude_nodes: List[str]
    include_tags: List[str]
    exclude_tags: List[str]


class LeavingQuery(FilterQuery, total=False):
    """The same, and what happens when the client leaves."""

    on_disconnect: Literal["cancel", "continue"]


class UIMessagesQuery(LeavingQuery, total=False):
    """The same, and which version of the AI SDK reads the answer."""

    ai_sdk: Literal["6", "7"]


class UIMessagesBody(TypedDict, total=False):
    """A conversation of `useChat`."""

    id: Optional[str]
    messages: Optional[List[Object]]
    input: Optional[Object]
    trigger: Optional[str]
    resume: Union[List[Object], Object, None]


class AgUiBody(TypedDict, total=False):
    """The input of an agent."""

    threadId: Optional[str]
    runId: Optional[str]
    state: Optional[Object]
    messages: Optional[List[Object]]
    resume: Optional[List[Object]]
    tools: Optional[List[Object]]
    context: Optional[List[Object]]


class CommandBody(TypedDict, total=False):
    """A command to a thread. What is wrong with it is said in the answer, as the protocol has it."""

    id: object
    method: object
    params: object


class EventsBody(TypedDict, total=False):
    """Which events of a thread."""

    channels: Required[List[str]]
    namespaces: Optional[List[List[str]]]
    depth: Annotated[Optional[int], Field(ge=0)]
    since: Annotated[Optional[int], Field(ge=0, le=2**53)]
