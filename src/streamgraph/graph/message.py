"""Message lists as state, and the reducer that merges updates into them."""

from __future__ import annotations

import threading
import warnings
from functools import partial
from typing import Any, Callable, List, Optional, Sequence, TypeVar, Union, cast
from uuid import uuid4

from langchain_core.messages import (
    AnyMessage,
    BaseMessage,
    BaseMessageChunk,
    MessageLikeRepresentation,
    convert_to_messages,
    convert_to_openai_messages,
    message_chunk_to_message,
)
from typing_extensions import Annotated, Literal, TypedDict

from streamgraph._langchain.scope import current_scope
from streamgraph._langchain.state_access import send_writes
from streamgraph._messages.batches import (
    merge_batches as _messages_delta_reducer,  # noqa: F401  (LangGraph's name and place for it)
)
from streamgraph._messages.message_list import MessageList
from streamgraph.constants import REMOVE_ALL_MESSAGES
from streamgraph.errors import UnknownOptionError
from streamgraph.graph.state import StateGraph
from streamgraph.warnings import LangGraphDeprecatedSinceV10

__all__ = [
    "REMOVE_ALL_MESSAGES",
    "MessageGraph",
    "Messages",
    "MessagesState",
    "add_messages",
    "prepare_messages",
    "push_message",
]

T = TypeVar("T", bound="Callable[..., object]")

Messages = Union[Sequence[MessageLikeRepresentation], MessageLikeRepresentation]


def add_messages(
    left: Optional[Messages] = None,
    right: Optional[Messages] = None,
    *,
    format: Optional[Literal["langchain-openai"]] = None,  # noqa: A002  (LangGraph's name)
) -> Any:
    """Merge two lists of messages: append new ones, replace those with a known id, drop removed ones.

    Use it as the reducer of a state key that holds a conversation. Messages may be LangChain message objects, strings,
    `(role, text)` tuples or dicts. Chunks become whole messages. A message without an id gets one; it is set on the
    given object itself, so that whoever holds the message knows its id. A call without lists returns a reducer with the
    given `format`.

    Args:
        left: The current messages.
        right: The update. A `RemoveMessage` drops the message with its id; with the id `REMOVE_ALL_MESSAGES` it drops
            all messages before it.
        format: `"langchain-openai"` to convert contents to OpenAI's format.

    Returns:
        A new list with the merged messages.

    Raises:
        ValueError: Only one list is given, the format is unknown, or a message to remove does not exist.
    """
    if format not in (None, "langchain-openai"):
        raise UnknownOptionError(
            f"Unrecognized format={format!r}. Expected one of 'langchain-openai', None",
            name=format,
            known=("langchain-openai",),
        )
    if left is None and right is None:
        return _with_prepare(partial(add_messages, format=format))
    if left is None or right is None:
        raise _one_side("left" if right is None else "right")
    merged = [*MessageList(prepare_messages(left)).merged(prepare_messages(right))]
    return _in_openai_format(merged) if format else merged


_naming = threading.Lock()


def _one_side(given: str) -> ValueError:
    return ValueError(f"Must specify non-null arguments for both 'left' and 'right'. Only received: {given!r}.")


def prepare_messages(update: Messages) -> List[BaseMessage]:
    """Return an update as whole messages that all have ids; a message object without one gets it in place.

    Args:
        update: A message or several, in any form that langchain-core converts.
    """
    several = update if isinstance(update, list) else [update]
    messages: List[BaseMessage] = []
    for message in convert_to_messages(cast("Sequence[MessageLikeRepresentation]", several)):
        if isinstance(message, BaseMessageChunk):
            message = message_chunk_to_message(message)
        if message.id is None:
            with _naming:  # runs in several threads may be given one and the same object
                if message.id is None:
                    message.id = str(uuid4())
        messages.append(message)
    return messages


def _with_prepare(reducer: T) -> T:
    # `read_schema` reads this attribute. Updates are converted to their stored form once, before they are
    # streamed, so that a message has the same id in the stream and in the state.
    reducer.prepare = prepare_messages  # type: ignore[attr-defined]
    return reducer


_with_prepare(add_messages)


def _merge_in_state(left: Messages, right: Messages) -> MessageList:
    """Merge an update into what the state holds, which knows its ids if it was merged before."""
    if right is None:
        raise _one_side("left")
    if type(left) is not MessageList:
        left = MessageList(prepare_messages(left))
    return left.merged(prepare_messages(right))


# Read where a state schema is taken apart, in the place of the reducer itself: users get plain lists from that.
add_messages.in_state = _merge_in_state  # type: ignore[attr-defined]
_merge_in_state.recorded = MessageList.recorded  # type: ignore[attr-defined]
_with_prepare(_merge_in_state)


def _in_openai_format(messages: List[BaseMessage]) -> List[BaseMessage]:
    return convert_to_messages(cast("Any", convert_to_openai_messages(messages)))


def push_message(
    message: Union[MessageLikeRepresentation, BaseMessageChunk], *, state_key: Optional[str] = "messages"
) -> BaseMessage:
    """Show a message in the `messages` mode and write it to the state before the node returns.

    Args:
        message: The message; it must have an id.
        state_key: The state key to write the message to when the node has finished; `None` to only show it.

    Returns:
        The message; a chunk is returned as a whole message.

    Raises:
        ValueError: The message has no id.
        UnknownOptionError: The state has no such key.
        RuntimeError: The function is called outside of a graph run.
    """
    scope = current_scope()
    if scope is None:
        raise RuntimeError("push_message() was called outside of a graph run; call it in a node or tool.")
    (whole,) = convert_to_messages([message])
    if isinstance(whole, BaseMessageChunk):
        whole = message_chunk_to_message(whole)
    if whole.id is None:
        raise ValueError("Message ID is required: without one a message cannot be told from others.")
    if state_key is not None and state_key not in scope.run.plan.channels:
        raise UnknownOptionError(f"The state has no key {state_key!r}", name=state_key, known=scope.run.plan.channels)
    if scope.run.messages is not None and scope.wants_messages:
        scope.run.messages.pushed(scope, whole, state_key)
    if state_key is not None:
        send_writes(scope, [(state_key, whole)])
    return whole


class MessagesState(TypedDict):
    """State with one key, `messages`: a conversation merged by `add_messages`."""

    messages: Annotated[List[AnyMessage], add_messages]


class MessageGraph(StateGraph[Any]):
    """Builder of a graph whose state is one list of messages; deprecated: use `StateGraph(MessagesState)`.

    Nodes get the list and return a message, or several, which are merged into it by `add_messages`. `invoke` takes and
    returns a list.
    """

    def __init__(self) -> None:
        warnings.warn(
            "MessageGraph is deprecated. Use StateGraph with a state that has the key `messages`, such as "
            "MessagesState, instead.",
            LangGraphDeprecatedSinceV10,
            stacklevel=2,
        )
        super().__init__(Annotated[List[AnyMessage], add_messages])  # type: ignore[arg-type]
