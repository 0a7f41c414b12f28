"""Messages in a `DeltaChannel`: their ids, and the reducer that merges all messages of a step at once."""

from __future__ import annotations

from typing import Dict, Iterable, List, Optional, Sequence, cast
from uuid import uuid4

from langchain_core.messages import BaseMessage, MessageLikeRepresentation, RemoveMessage, convert_to_messages

from streamgraph.constants import REMOVE_ALL_MESSAGES

_ROLES = frozenset(("user", "human", "assistant", "ai", "tool", "system", "function", "remove"))


def messages_with_ids(value: object) -> object:
    """Return a written value in which each message has an id, set on the object itself.

    What is written to a `DeltaChannel` is saved as it is, and its reducer runs again whenever the thread is read: an id
    that the reducer gave would be another one each time. Only messages are touched; a dict with the role of one in a
    list becomes one.

    Args:
        value: A message, a list, or anything else that is written to such a key.
    """
    if isinstance(value, BaseMessage):
        return _named(value)
    if type(value) is not list:
        return value
    return [_with_id(item) for item in value]


def merge_batches(state: Sequence[MessageLikeRepresentation], writes: Iterable[object]) -> List[BaseMessage]:
    """Merge several updates into a list of messages; the reducer of a `DeltaChannel`.

    New messages are appended, one with a known id replaces that message, and a `RemoveMessage` drops it; an id to
    remove that is not there is passed over, since it may have been removed by an earlier batch.

    Args:
        state: The messages so far.
        writes: The updates: a message in any form that langchain-core converts, or a list of them.
    """
    given: List[object] = []
    for write in writes:
        if isinstance(write, list):
            given.extend(write)
        else:
            given.append(write)
    messages = list(_converted(state))
    places: Dict[Optional[str], int] = {message.id: place for place, message in enumerate(messages)}
    removed: Dict[int, None] = {}
    for message in _converted(given):
        if isinstance(message, RemoveMessage):
            if message.id == REMOVE_ALL_MESSAGES:
                messages, places, removed = [], {}, {}
            elif message.id in places:
                removed[places.pop(message.id)] = None
        elif message.id is not None and message.id in places:
            messages[places[message.id]] = message
        else:
            places[message.id] = len(messages)
            messages.append(message)
    return [message for place, message in enumerate(messages) if place not in removed]


def prepare_batches(value: object) -> object:
    """Return an update as messages that all have ids; see `messages_with_ids`."""
    if isinstance(value, (list, tuple)) and not _is_pair(value):
        return [_named(message) for message in _converted(value)]
    return _named(_converted([value])[0])


merge_batches.prepare = prepare_batches  # type: ignore[attr-defined]


def _converted(messages: object) -> List[BaseMessage]:
    return convert_to_messages(cast("Sequence[MessageLikeRepresentation]", messages))


def _named(message: BaseMessage) -> BaseMessage:
    if not message.id:
        message.id = str(uuid4())
    return message


def _is_pair(value: Sequence[object]) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)


def _with_id(item: object) -> object:
    if isinstance(item, dict) and (item.get("role") in _ROLES or item.get("type") in _ROLES):
        return _named(_converted([item])[0])
    return _named(item) if isinstance(item, BaseMessage) else item
