"""Writes values as JSON: what plain and exact JSON have in common."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any, Dict, Iterable, List, Mapping, Set, Tuple

from langchain_core.messages import BaseMessage
from pydantic import BaseModel
from pydantic_core import to_json

from streamgraph._streams.copying import CopyOnAccess
from streamgraph.serialization._registry import MESSAGES
from streamgraph.serialization._text import LIMIT, SCALARS, class_name, description, is_pure

_BUILT_IN = frozenset(MESSAGES.values())


class Items(List[object]):
    """An array that is part of what a value is written as, and never becomes a placeholder itself."""


class Fields(Dict[str, object]):
    """An object of the same kind, with the fields of something."""


class Writer:
    """Writes one value, at every depth; what cannot be written becomes a placeholder.

    Attributes:
        exact: The text can be read back.
        lost: How many placeholders were written.
    """

    exact = False

    def __init__(self) -> None:
        self.lost = 0
        self._active: Set[int] = set()

    def write(self, value: Any, depth: int = 0) -> bytes:
        """Return a value as JSON.

        Args:
            value: The value.
            depth: How deep in the text it is.
        """
        kind = type(value)
        if kind in SCALARS:
            return self.text(value) if kind is str else to_json(value)
        if kind is CopyOnAccess:
            value = value.raw()
        if depth >= LIMIT:
            return self.placeholder(value, f"it is nested more than {LIMIT} levels deep", depth)
        if id(value) in self._active:
            return self.placeholder(value, "it contains itself", depth)
        try:
            if is_pure(value, self.exact, depth, self._active):
                with suppress(ValueError):  # a lone surrogate in it, which is found on the long way
                    return to_json(value)
            self._active.add(id(value))
            return self.written(value, depth)
        except Exception as error:
            # Its own code has failed, such as a serializer of a model, or another thread is changing it.
            return self.placeholder(value, f"{type(error).__name__}: {error}", depth)
        finally:
            self._active.discard(id(value))

    def written(self, value: Any, depth: int) -> bytes:
        """Return what is no scalar, and not pure JSON."""
        raise NotImplementedError

    def text(self, value: str) -> bytes:
        """Return a string."""
        raise NotImplementedError

    def placeholder(self, value: object, why: str, depth: int) -> bytes:
        """Return what stands for a value that cannot be written.

        Args:
            value: The value.
            why: The reason; empty if its class is the reason, and then its `repr` describes it.
            depth: How deep in the text it is.
        """
        self.lost += 1
        return self.lost_value(class_name(value), why or description(value), depth)

    def lost_value(self, name: str, why: str, depth: int) -> bytes:
        """Return the placeholder of a value of a class."""
        raise NotImplementedError

    def json_array(self, items: Iterable[object], depth: int) -> bytes:
        """Return several values as an array."""
        return b"[" + b",".join([self._inside(item, depth + 1) for item in items]) + b"]"

    def json_object(self, members: Iterable[Tuple[str, object]], depth: int) -> bytes:
        """Return names and values as an object."""
        return b"{" + b",".join(self._members(members, depth)) + b"}"

    def _members(self, members: Iterable[Tuple[str, object]], depth: int) -> List[bytes]:
        """Return the members of an object: names and values."""
        return [self.name(name) + b":" + self._inside(value, depth + 1) for name, value in members]

    def _inside(self, value: object, depth: int) -> bytes:
        if type(value) is Items:
            return self.json_array(value, depth)
        return self.json_object(value.items(), depth) if type(value) is Fields else self.write(value, depth)

    def name(self, name: str) -> bytes:
        """Return the name of a member."""
        return to_json(name)


def token_json(message: BaseMessage) -> bytes:
    """Return a token as JSON in one call, or nothing if it holds more than text.

    Args:
        message: A chunk, or another message.
    """
    if type(message) not in _BUILT_IN:
        return b""
    holds = message.__dict__.get
    if (
        type(holds("content")) is not str
        or holds("additional_kwargs")
        or holds("response_metadata")
        or holds("tool_calls")
        or holds("usage_metadata")
        or holds("tool_call_chunks")
        or holds("invalid_tool_calls")
        or holds("artifact") is not None  # bytes or a tuple, even an empty one, and what cannot say whether it is empty
        or message.__pydantic_extra__
    ):
        return b""
    try:
        return to_json(message.__dict__)
    except ValueError:  # a lone surrogate, which is found on the long way
        return b""


def message_fields(message: BaseMessage) -> Dict[str, object]:
    """Return all that a message holds, by field."""
    return model_fields(message)


def model_fields(model: BaseModel) -> Dict[str, object]:
    """Return what a model holds: the values of its fields as they are, and further ones if it takes any."""
    known = type(model).model_fields
    found = {name: value for name, value in model.__dict__.items() if name in known}
    found.update(model.__pydantic_extra__ or {})
    return found


def dataclass_fields(value: Any) -> Dict[str, object]:
    """Return the values of a dataclass by field; a field without a value is left out."""
    return {field.name: getattr(value, field.name) for field in fields(value) if hasattr(value, field.name)}


def is_record(value: object) -> bool:
    """Return whether a value is a dataclass's object, not its class."""
    return is_dataclass(value) and not isinstance(value, type)


def is_named_tuple(value: object) -> bool:
    """Return whether a value is a tuple with names for its items."""
    return isinstance(value, tuple) and isinstance(getattr(value, "_fields", None), tuple)


def in_order(items: Iterable[object]) -> List[object]:
    """Return the elements of a set in an order that does not depend on their hashes."""
    return sorted(items, key=lambda item: (type(item).__name__, repr(item)))


def pairs_of(value: Mapping[Any, object]) -> List[Tuple[Any, object]]:
    """Return the items of a mapping as they are now: another thread may go on to change it."""
    return list(value.items())
