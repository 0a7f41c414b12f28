"""Messages that tell a front end which component to show, in the stream and in the state.

::

    class State(MessagesState):
        ui: Annotated[List[AnyUIMessage], ui_message_reducer]

    def weather(state: State) -> dict:
        answer = AIMessage("Rain in Rome.", id="1")
        push_ui_message("weather", {"city": "Rome", "rain": True}, message=answer)
        return {"messages": [answer]}

The front end gets each one as `custom` data when it is pushed; the state has it when the node has finished.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Union, cast
from uuid import uuid4

from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import var_child_runnable_config
from typing_extensions import Literal, TypedDict

from streamgraph._langchain.scope import Scope, current_scope
from streamgraph._langchain.state_access import send_writes
from streamgraph.errors import UnknownOptionError

__all__ = [
    "AnyUIMessage",
    "RemoveUIMessage",
    "UIMessage",
    "delete_ui_message",
    "push_ui_message",
    "ui_message_reducer",
]


class UIMessage(TypedDict):
    """A component to show.

    Attributes:
        type: Always `"ui"`.
        id: The id of the message.
        name: The name of the component.
        props: Its properties.
        metadata: Where it comes from, if it is merged into an earlier one, and the id of the message it belongs to.
    """

    type: Literal["ui"]
    id: str
    name: str
    props: Dict[str, object]
    metadata: Dict[str, object]


class RemoveUIMessage(TypedDict):
    """A component to take away.

    Attributes:
        type: Always `"remove-ui"`.
        id: The id of its message.
    """

    type: Literal["remove-ui"]
    id: str


AnyUIMessage = Union[UIMessage, RemoveUIMessage]
"""A component to show or to take away."""

OneOrMore = Union[List[AnyUIMessage], AnyUIMessage]


def push_ui_message(
    name: str,
    props: Dict[str, object],
    *,
    id: Optional[str] = None,  # noqa: A002  (LangGraph's name)
    metadata: Optional[Dict[str, object]] = None,
    message: Union[BaseMessage, Mapping[str, object], None] = None,
    state_key: Optional[str] = "ui",
    merge: bool = False,
) -> UIMessage:
    """Show a component: as `custom` data now, and in the state when the node has finished.

    Args:
        name: The name of the component.
        props: Its properties.
        id: The id of the message, to replace or remove it later; by default a new one.
        metadata: Further metadata.
        message: The message that the component belongs to; its id is put into the metadata as `message_id`.
        state_key: The state key to write to, with `ui_message_reducer` as its reducer; `None` to only stream it.
        merge: Keep the properties of an earlier message of this id that are not in `props`.

    Returns:
        The message.

    Raises:
        RuntimeError: The function is called outside of a graph run.
        UnknownOptionError: The state has no such key.
    """
    scope = _scope("push_ui_message", state_key)
    config: Mapping[str, object] = var_child_runnable_config.get() or {}
    about: Dict[str, object] = {
        "merge": merge,
        "run_id": config.get("run_id"),
        "tags": config.get("tags"),
        "name": config.get("run_name"),
        **(metadata or {}),
    }
    belongs_to = message.get("id") if isinstance(message, Mapping) else getattr(message, "id", None)
    if belongs_to:
        about["message_id"] = belongs_to
    shown: UIMessage = {"type": "ui", "id": id or str(uuid4()), "name": name, "props": props, "metadata": about}
    _emit(scope, shown, state_key)
    return shown


def delete_ui_message(id: str, *, state_key: str = "ui") -> RemoveUIMessage:  # noqa: A002  (LangGraph's name)
    """Take a component away: as `custom` data now, and from the state when the node has finished.

    Args:
        id: The id of its message.
        state_key: The state key that the message is in.

    Returns:
        What was streamed.

    Raises:
        RuntimeError: The function is called outside of a graph run.
        UnknownOptionError: The state has no such key.
    """
    scope = _scope("delete_ui_message", state_key)
    removed: RemoveUIMessage = {"type": "remove-ui", "id": id}
    _emit(scope, removed, state_key)
    return removed


def ui_message_reducer(left: OneOrMore, right: OneOrMore) -> List[AnyUIMessage]:
    """Merge two lists of messages about components: append new ones, replace those with a known id, drop removed ones.

    Use it as the reducer of the state key that `push_ui_message` writes to.

    Args:
        left: The current messages.
        right: The update.

    Returns:
        A new list.

    Raises:
        ValueError: A message is to be removed that does not exist.
    """
    merged: List[AnyUIMessage] = [*left] if isinstance(left, list) else [left]
    places = {message.get("id"): place for place, message in enumerate(merged)}
    removed = set()
    for message in right if isinstance(right, list) else [right]:
        key = message.get("id")
        place = places.get(key)
        if message.get("type") == "remove-ui":
            if place is None:
                raise ValueError(
                    f"Attempting to delete an UI message with an ID that doesn't exist ({key!r}). "
                    f"There are: {', '.join(map(repr, places)) or 'none'}."
                )
            removed.add(key)
        elif place is None:
            places[key] = len(merged)
            merged.append(message)
        else:
            removed.discard(key)
            merged[place] = _onto(cast("UIMessage", merged[place]), cast("UIMessage", message))
    return [message for message in merged if message.get("id") not in removed]


def _onto(before: UIMessage, message: UIMessage) -> UIMessage:
    """Return a message in place of an earlier one with its id."""
    if not message.get("metadata", {}).get("merge", False):
        return message
    return {**message, "props": {**before["props"], **message["props"]}}


def _scope(function: str, state_key: Optional[str]) -> Scope:
    """Return the scope of the running task.

    Raises:
        RuntimeError: There is none.
        UnknownOptionError: The state has no such key.
    """
    scope = current_scope()
    if scope is None:
        raise RuntimeError(f"{function}() was called outside of a graph run; call it in a node or tool.")
    if state_key and state_key not in scope.run.plan.channels:
        raise UnknownOptionError(f"The state has no key {state_key!r}", name=state_key, known=scope.run.plan.channels)
    return scope


def _emit(scope: Scope, message: AnyUIMessage, state_key: Optional[str]) -> None:
    scope.write(message)
    if state_key:
        send_writes(scope, [(state_key, message)])
