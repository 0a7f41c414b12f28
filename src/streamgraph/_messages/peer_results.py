"""Find the messages in what a task of LangGraph gets and returns; its graph has a state that is not known here."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from itertools import chain
from typing import Iterator, Mapping

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from streamgraph._messages.matching import messages_in
from streamgraph._peers import is_command


def fields_of(value: object) -> object:
    """Return the fields of a state object as a dict; other values are returned unchanged."""
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name, None) for item in fields(value)}
    return value


def returned_messages(result: object) -> Iterator[BaseMessage]:
    """Yield the messages in what a task has returned: an update, a `Command`, or a list with these."""
    if is_command(result):
        return returned_messages(result.update)
    if isinstance(result, (list, tuple)) and any(map(is_command, result)):
        return chain.from_iterable(map(returned_messages, result))
    if isinstance(result, (list, tuple)) and any(_is_pair(item) for item in result):
        return chain.from_iterable(messages_in(item[1]) for item in result if _is_pair(item))
    update = result if isinstance(result, BaseMessage) else fields_of(result)
    values = update.values() if isinstance(update, Mapping) else (update,)
    return chain.from_iterable(map(messages_in, values))


def _is_pair(item: object) -> bool:
    """Return whether an item of an update is a key with its value."""
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) and not isinstance(item[1], str)
