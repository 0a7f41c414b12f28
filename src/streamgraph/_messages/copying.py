"""Copies of messages that the consumer may modify."""

from __future__ import annotations

import types
import typing
from typing import Any, Dict, Optional, Tuple, Type, Union

from langchain_core.messages import AIMessageChunk, BaseMessage, BaseMessageChunk
from typing_extensions import Literal, get_args, get_origin

from streamgraph._compat.pydantic import new, set_extra, set_fields, set_names, set_private
from streamgraph._core.parts import copy_payload as copy_state_payload
from streamgraph._streams.copying import CONTAINERS, copy_containers


def private_copy(message: BaseMessage, id: Optional[str]) -> BaseMessage:  # noqa: A002  (the field's name)
    """Return a copy with the given `id` that shares no container with `message`, so that a consumer can modify it.

    langchain-core sums up the chunks after it has reported them, so modifying the original would change the result.
    """
    # Runs for every token. Most values are `None`, a text, or an empty list or dict.
    kind = type(message)
    fields = message.__dict__.copy()
    for key in _CONTAINER_FIELDS.get(kind) or _container_fields(kind):
        value = fields.get(key)
        if value is None:
            continue
        of = type(value)
        if of is list:
            fields[key] = copy_containers(value) if value else []
        elif of is dict:
            fields[key] = copy_containers(value) if value else {}
        elif of is not str and of in CONTAINERS:
            fields[key] = copy_containers(value)
    fields["id"] = id
    copied = new(kind)
    extra = message.__pydantic_extra__
    set_fields(copied, fields)
    set_names(copied, message.__pydantic_fields_set__.copy())
    set_extra(copied, copy_containers(extra) if extra else extra)
    set_private(copied, message.__pydantic_private__)
    return copied


_CONTAINER_FIELDS: Dict[Type[BaseMessage], Tuple[str, ...]] = {}


def _container_fields(kind: Type[BaseMessage]) -> Tuple[str, ...]:
    """Return the fields of a message class that can hold a container; computed once per class."""
    found = tuple(key for key, field in kind.model_fields.items() if not _is_scalar(field.annotation))
    return _CONTAINER_FIELDS.setdefault(kind, found)


def _is_scalar(hint: Any) -> bool:
    """Return whether a type hint allows only scalars, such as `Optional[str]` or `Literal["last"]`."""
    # Literal is another object in typing_extensions on Python 3.9, and X | Y another than Union from 3.10 to 3.13.
    if get_origin(hint) in (Union, getattr(types, "UnionType", Union), Literal, typing.Literal):
        return all(isinstance(item, str) or _is_scalar(item) for item in get_args(hint))
    return hint in (str, bool, int, float, type(None))


def is_last(message: BaseMessage) -> bool:
    """Return whether a message is the last chunk of one, or no chunk.

    langchain-core marks that chunk from version 1 on. Before, `chunk_position` is no field, but an extra attribute that
    every version takes.
    """
    return getattr(message, "chunk_position", None) == "last" or not isinstance(message, BaseMessageChunk)


def marked_last(message: BaseMessage) -> BaseMessage:
    """Return a message that is shown as a whole; if it is a chunk, it gets the mark of the last one.

    Args:
        message: A copy, which is modified.
    """
    if not is_last(message):
        message.chunk_position = "last"  # type: ignore[attr-defined]
    return message


def last_chunk(last: BaseMessage) -> BaseMessage:
    """Return an empty chunk that ends a message, and changes nothing in the sum of its chunks.

    Args:
        last: The last chunk so far.
    """
    empty: Any = [] if isinstance(last.content, list) else ""
    if isinstance(last, AIMessageChunk):
        return marked_last(AIMessageChunk(content=empty))
    # Others have fields of their own that are required, and that are equal in all chunks.
    return marked_last(last.model_copy(update={"content": empty, "additional_kwargs": {}, "response_metadata": {}}))


def detach(message: BaseMessage) -> None:
    """Replace the containers in a message by copies, so that it shares none with the chunks that it was made of."""
    kind, fields = type(message), message.__dict__
    for key in _CONTAINER_FIELDS.get(kind) or _container_fields(kind):
        fields[key] = copy_containers(fields.get(key))


def copy_payload(mode: str, data: Any) -> Any:
    """Copy the payload of a part for a second consumer; custom data belongs to the user and is not copied."""
    if mode == "custom":
        return data
    if mode == "messages":
        message, metadata = data
        return private_copy(message, message.id), copy_containers(metadata)
    return copy_state_payload(mode, data)
