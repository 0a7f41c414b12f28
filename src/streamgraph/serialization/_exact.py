"""Exact JSON, which can be read back: what JSON has no form for is an object with a tag, `{"$type": ...}`."""

from __future__ import annotations

import base64
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from math import isnan
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Set, Tuple, Type
from uuid import UUID

from langchain_core.messages import BaseMessage
from pydantic import BaseModel
from pydantic_core import to_json

from streamgraph.serialization._reader import can_be_made
from streamgraph.serialization._registry import MESSAGES, name_of
from streamgraph.serialization._text import TAG, is_sound
from streamgraph.serialization._writer import (
    Fields,
    Items,
    Writer,
    dataclass_fields,
    in_order,
    is_named_tuple,
    is_record,
    message_fields,
    model_fields,
    pairs_of,
)


class ExactWriter(Writer):
    """Writes exact JSON."""

    exact = True

    def __init__(self) -> None:
        super().__init__()
        self._classes: Set[type] = set()

    def _name(self, cls: type) -> str:
        self._classes.add(cls)
        return name_of(cls)

    def text(self, value: str) -> bytes:
        try:
            return to_json(value)
        except Exception:  # a lone surrogate: not every parser takes it, not even escaped
            return self.tagged("text", value=base64.b64encode(value.encode("utf-8", "surrogatepass")).decode())

    def lost_value(self, name: str, why: str, depth: int) -> bytes:
        name, why = (text.encode("utf-8", "replace").decode() for text in (name, why))
        return self.tagged("unserializable", depth, **{"class": name, "description": why})

    def tagged(self, tag: str, depth: int = 0, **members: object) -> bytes:
        """Return an object with a tag.

        Args:
            tag: The tag.
            depth: How deep in the text the object is.
            **members: What else is in it.
        """
        return self.json_object([(TAG, tag), *members.items()], depth)

    def written(self, value: Any, depth: int) -> bytes:
        kind = type(value)
        write = _FORMS.get(kind)
        if write is not None:
            return write(self, value, depth)
        if isinstance(value, BaseMessage) and MESSAGES.get(value.type) is kind:
            return self.message(value, depth, tag=True)
        if isinstance(value, BaseModel):
            return self._model(value, depth)
        if isinstance(value, Enum):
            by = {"name": value.name} if value.name in kind.__members__ else {"value": value.value}
            return self.tagged("enum", depth, **{"class": self._name(kind)}, **by)
        if is_named_tuple(value):
            return self.tagged("namedtuple", depth, **{"class": self._name(kind), "value": Items(value)})
        if isinstance(value, BaseException):
            return self._error(value, depth)
        if is_record(value):
            return self.tagged(
                "dataclass", depth, **{"class": self._name(kind), "fields": Fields(dataclass_fields(value))}
            )
        if isinstance(value, type):
            return self.tagged("class", depth, **{"class": self._name(value)})
        for base, convert in _BASES:
            if isinstance(value, base):
                return self.write(convert(value), depth)
        return self.placeholder(value, "", depth)

    def message(self, message: BaseMessage, depth: int, *, tag: bool) -> bytes:
        """Return a message of a class of langchain-core: its fields.

        Args:
            message: The message.
            depth: How deep in the text it is.
            tag: The place where it stands does not say that it is a message.
        """
        fields = message_fields(message)
        if TAG in fields:
            return self._model(message, depth)
        return self.json_object([*([(TAG, "message")] if tag else []), *fields.items()], depth)

    def _model(self, model: BaseModel, depth: int) -> bytes:
        known = self.lost
        fields = model_fields(model)
        members: Dict[str, object] = {"class": self._name(type(model)), "fields": Fields(fields)}
        if model.__pydantic_fields_set__ != fields.keys():
            members["set"] = Items(sorted(model.__pydantic_fields_set__))
        made = self.tagged("model", depth, **members)
        if self.lost > known and not can_be_made(made, self._classes):
            # A placeholder has no place in one of its fields: the model cannot be made again.
            return self.placeholder(model, "", depth)
        return made

    def _error(self, error: BaseException, depth: int) -> bytes:
        state = dict(vars(error))
        notes, place = state.pop("__notes__", None), state.pop("__streamgraph_location__", None)
        members: Dict[str, object] = {
            "class": self._name(type(error)),
            "message": _message_of(error),
            "args": _arguments(error),
        }
        if state:
            members["state"] = Fields(state)
        if notes:
            members["notes"] = Items(notes)
        if place is not None:
            members["place"] = Items([place.node, place.step, Items(place.namespace)])
        return self.tagged("error", depth, **members)


def _arguments(error: BaseException) -> object:
    """Return what the class of an exception is called with to make it again: `args` lacks the file of an `OSError`."""
    reduced = error.__reduce__() if type(error).__module__ == "builtins" else ()
    return reduced[1] if len(reduced) > 1 else error.args


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        return f"(its str() raises {type(failure).__name__})"


def _dict(writer: ExactWriter, value: Mapping[Any, object], depth: int) -> bytes:
    pairs = pairs_of(value)
    if TAG not in value and all(type(key) is str and is_sound(key) for key, _ in pairs):
        return writer.json_object(pairs, depth)
    return writer.tagged("dict", depth, value=_pairs(pairs))


def _pairs(pairs: List[Tuple[Any, object]]) -> Items:
    return Items([Items(pair) for pair in pairs])


def _in_order(items: Any) -> Items:
    return Items(in_order(items))


def _of(tag: str, convert: Callable[[Any], object]) -> Callable[[ExactWriter, Any, int], bytes]:
    return lambda writer, value, depth: writer.tagged(tag, depth, value=convert(value))


def _float(value: float) -> str:
    return "nan" if isnan(value) else "inf" if value > 0 else "-inf"


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()


def _moment(writer: ExactWriter, value: Any, depth: int) -> bytes:
    """Return a date with a time, or a time: with the name of its time zone, if that has one."""
    zone = getattr(value.tzinfo, "key", None)
    members: Dict[str, object] = {"value": (value.replace(tzinfo=None) if zone else value).isoformat()}
    if isinstance(zone, str):
        members["zone"] = zone
    if value.fold:
        members["fold"] = 1
    return writer.tagged(type(value).__name__, depth, **members)


def _default_dict(writer: ExactWriter, value: Any, depth: int) -> bytes:
    factory = value.default_factory
    shown = factory if factory is None or isinstance(factory, type) else None
    return writer.tagged("defaultdict", depth, value=_pairs(pairs_of(value)), factory=shown)


def _deque(writer: ExactWriter, value: Any, depth: int) -> bytes:
    return writer.tagged("deque", depth, value=Items(value), maxlen=value.maxlen)


_FORMS: Dict[type, Callable[[ExactWriter, Any, int], bytes]] = {
    list: lambda writer, value, depth: writer.json_array(list(value), depth),
    dict: _dict,
    tuple: _of("tuple", Items),
    set: _of("set", _in_order),
    frozenset: _of("frozenset", _in_order),
    float: _of("float", _float),
    bytes: _of("bytes", _base64),
    bytearray: _of("bytearray", _base64),
    datetime: _moment,
    time: _moment,
    date: _of("date", date.isoformat),
    timedelta: _of("timedelta", lambda value: Items([value.days, value.seconds, value.microseconds])),
    Decimal: _of("decimal", str),
    Fraction: _of("fraction", str),
    complex: _of("complex", lambda value: Items([value.real, value.imag])),
    UUID: _of("uuid", str),
    type(Path()): _of("path", str),
    range: _of("range", lambda value: Items([value.start, value.stop, value.step])),
    deque: _deque,
    defaultdict: _default_dict,
    OrderedDict: lambda writer, value, depth: writer.tagged("OrderedDict", depth, value=_pairs(pairs_of(value))),
    Counter: lambda writer, value, depth: writer.tagged("Counter", depth, value=_pairs(pairs_of(value))),
}
"""How a value of exactly this class is written."""

_BASES: Tuple[Tuple[Type[Any], Callable[[Any], object]], ...] = (
    (str, str.__str__),
    (int, int),
    (float, float),
    (bytes, bytes),
    (UUID, lambda value: UUID(int=value.int)),
    (Mapping, dict),
    (list, list),
    (tuple, tuple),
    (set, set),
    (frozenset, frozenset),
    (deque, lambda value: deque(value, value.maxlen)),
    (datetime, lambda value: datetime.combine(value.date(), value.timetz())),
)
"""What an object of a subclass is written as: the class that it extends."""
