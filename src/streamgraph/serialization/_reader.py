"""Reads exact JSON back. Only the classes of a registry are made; no module is imported."""

from __future__ import annotations

import base64
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import AbstractSet, Any, Callable, Dict, List, Mapping, Tuple, Union
from uuid import UUID

from pydantic_core import from_json

from streamgraph.serialization._errors import SerializationError
from streamgraph.serialization._objects import (
    made_dataclass,
    made_enum,
    made_error,
    made_message,
    made_model,
    made_named_tuple,
)
from streamgraph.serialization._registry import Registry
from streamgraph.serialization._text import TAG

try:
    from zoneinfo import ZoneInfo
except ImportError:  # pragma: no cover  (a Python built without it)
    ZoneInfo = None  # type: ignore[assignment, misc]


def parsed(data: Union[bytes, str]) -> Any:
    """Return what JSON text says, without making anything of it.

    Raises:
        SerializationError: It is not JSON.
    """
    try:
        return from_json(data, allow_inf_nan=False)
    except Exception as error:
        raise SerializationError(f"The text is not JSON: {error}") from error


class Reader:
    """Makes values of parsed JSON.

    Args:
        registry: The classes that may be made.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def value(self, given: Any) -> Any:
        """Return the value that parsed JSON stands for.

        Raises:
            SerializationError: It stands for none.
        """
        kind = type(given)
        if kind is dict:
            if TAG in given:
                return self._tagged(given)
            return {key: self.value(item) for key, item in given.items()}
        if kind is list:
            return [self.value(item) for item in given]
        return given

    def fields(self, given: object, what: str = "fields") -> Dict[str, Any]:
        """Return the fields of an object.

        Args:
            given: Parsed JSON: an object, whose own tag is not looked at.
            what: What it is, for the error message.
        """
        if type(given) is not dict:
            raise SerializationError(f"The {what} of an object are {given!r:.100}, not a JSON object")
        return {key: self.value(item) for key, item in given.items()}

    def message(self, given: Dict[str, Any]) -> Any:
        """Return the message of an object that holds its fields."""
        if TAG in given:
            return self._tagged(given)
        return made_message(self.fields(given))

    def _tagged(self, given: Dict[str, Any]) -> Any:
        tag = given[TAG]
        read = _READERS.get(tag) if isinstance(tag, str) else None
        if read is None:
            raise SerializationError(f"There is no {TAG} {tag!r:.100}", name=tag, known=_READERS)
        try:
            return read(self, given)
        except SerializationError:
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise SerializationError(f"A value of {TAG} {tag!r} cannot be made: {why:.1000}") from error


def can_be_made(data: bytes, classes: AbstractSet[type]) -> bool:
    """Return whether a value can be made of exact JSON by a reader who allows these classes."""
    try:
        Reader(Registry(classes)).value(parsed(data))
    except Exception:
        return False
    return True


def _items(reader: Reader, given: Mapping[str, Any]) -> List[Any]:
    value = given["value"]
    if type(value) is not list:
        raise TypeError(f"its value is {value!r:.100}, not an array")
    return [reader.value(item) for item in value]


def _pairs(reader: Reader, given: Mapping[str, Any]) -> List[Tuple[Any, Any]]:
    return [(key, value) for key, value in _items(reader, given)]


def _text(given: Mapping[str, Any]) -> str:
    value = given["value"]
    if type(value) is not str:
        raise TypeError(f"its value is {value!r:.100}, not a string")
    return value


def _bytes(given: Mapping[str, Any]) -> bytes:
    return base64.b64decode(_text(given), validate=True)


def _moment(given: Mapping[str, Any], made: Any) -> Any:
    if "zone" in given:
        made = made.replace(tzinfo=ZoneInfo(given["zone"]))
    return made.replace(fold=1) if given.get("fold") else made


def _default_dict(reader: Reader, given: Mapping[str, Any]) -> Any:
    return defaultdict(reader.value(given["factory"]), _pairs(reader, given))


def _counter(reader: Reader, given: Mapping[str, Any]) -> Any:
    counter: Any = Counter()
    counter.update(dict(_pairs(reader, given)))
    return counter


_FLOATS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}

_READERS: Dict[str, Callable[[Reader, Dict[str, Any]], Any]] = {
    "text": lambda reader, given: _bytes(given).decode("utf-8", "surrogatepass"),
    "float": lambda reader, given: _FLOATS[_text(given)],
    "bytes": lambda reader, given: _bytes(given),
    "bytearray": lambda reader, given: bytearray(_bytes(given)),
    "tuple": lambda reader, given: tuple(_items(reader, given)),
    "list": _items,
    "set": lambda reader, given: set(_items(reader, given)),
    "frozenset": lambda reader, given: frozenset(_items(reader, given)),
    "deque": lambda reader, given: deque(_items(reader, given), given["maxlen"]),
    "range": lambda reader, given: range(*_items(reader, given)),
    "dict": lambda reader, given: dict(_pairs(reader, given)),
    "OrderedDict": lambda reader, given: OrderedDict(_pairs(reader, given)),
    "Counter": _counter,
    "defaultdict": _default_dict,
    "datetime": lambda reader, given: _moment(given, datetime.fromisoformat(_text(given))),
    "time": lambda reader, given: _moment(given, time.fromisoformat(_text(given))),
    "date": lambda reader, given: date.fromisoformat(_text(given)),
    "timedelta": lambda reader, given: timedelta(*_items(reader, given)),
    "decimal": lambda reader, given: Decimal(_text(given)),
    "fraction": lambda reader, given: Fraction(_text(given)),
    "complex": lambda reader, given: complex(*_items(reader, given)),
    "uuid": lambda reader, given: UUID(_text(given)),
    "path": lambda reader, given: Path(_text(given)),
    "class": lambda reader, given: reader.registry.find(given["class"]),
    "enum": made_enum,
    "namedtuple": made_named_tuple,
    "dataclass": made_dataclass,
    "model": made_model,
    "message": lambda reader, given: made_message(
        reader.fields({name: value for name, value in given.items() if name != TAG})
    ),
    "error": made_error,
    "unserializable": lambda reader, given: made_dataclass(
        reader,
        {
            "class": "streamgraph.serialization:Unserializable",
            "fields": {"class_name": given["class"], "description": given["description"]},
        },
    ),
}
"""How the value of each tag is made."""
