"""Plain JSON for clients: no tags, only values as a JavaScript program expects them. It cannot be read back exactly."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any, Dict, List, Tuple
from uuid import UUID

from langchain_core.messages import BaseMessage
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_json

from streamgraph._locations import location_of
from streamgraph.serialization._text import class_name, written_text
from streamgraph.serialization._writer import (
    Writer,
    dataclass_fields,
    in_order,
    is_named_tuple,
    is_record,
    message_fields,
    model_fields,
    pairs_of,
)
from streamgraph.types import Interrupt

_AS_TEXT = (UUID, Decimal, Fraction, PurePath, complex)
_AS_ISO = (datetime, date, time)


class PlainWriter(Writer):
    """Writes plain JSON: arrays for all sequences and sets, text for dates and numbers that JSON has not."""

    def text(self, value: str) -> bytes:
        return written_text(value)

    def name(self, name: str) -> bytes:
        return written_text(name)

    def lost_value(self, name: str, why: str, depth: int) -> bytes:
        return written_text(f"<not serializable: {name}: {why}>")

    def written(self, value: Any, depth: int) -> bytes:
        if isinstance(value, Enum):
            return self.write(value.value, depth)
        if isinstance(value, BaseMessage):
            return self.json_object(message_fields(value).items(), depth)
        if isinstance(value, BaseModel):
            return self.write(_model_as_shown(value), depth)
        if is_named_tuple(value):
            return self.json_object(zip(value._fields, value), depth)
        if isinstance(value, Mapping):
            return self.json_object([(_as_name(key), item) for key, item in pairs_of(value)], depth)
        if isinstance(value, (set, frozenset)):
            return self.json_array(in_order(value), depth)
        if isinstance(value, (list, tuple, deque, range)):
            return self.json_array(list(value), depth)
        if isinstance(value, BaseException):
            return self.json_object(_error_as_shown(value).items(), depth)
        if isinstance(value, Interrupt):
            return self.json_object(_question_as_shown(value).items(), depth)
        if is_record(value):
            return self.json_object(dataclass_fields(value).items(), depth)
        return self._leaf(value, depth)

    def _leaf(self, value: Any, depth: int) -> bytes:
        if isinstance(value, str):
            return self.text(str.__str__(value))
        if isinstance(value, int):
            return to_json(int(value))
        if isinstance(value, float):
            return to_json(float(value), inf_nan_mode="null")
        if isinstance(value, (bytes, bytearray, memoryview)):
            return to_json(base64.b64encode(value).decode())
        if isinstance(value, _AS_TEXT):
            return to_json(str(value))
        if isinstance(value, _AS_ISO):
            return to_json(value.isoformat())
        if isinstance(value, timedelta):
            return to_json(value.total_seconds())
        if class_name(value).startswith("numpy.") and hasattr(value, "tolist"):
            return self.write(value.tolist(), depth)
        return self.placeholder(value, "", depth)


def _as_name(key: object) -> str:
    """Return a key as the name of a member."""
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return to_json(key).decode()
    return str(key)


def _model_as_shown(model: BaseModel) -> object:
    """Return a model as its own class shows it: with its serializers, and without what it excludes."""
    try:
        return model.model_dump(warnings=False, serialize_as_any=True)
    except Exception:  # a field that it cannot show; its place is then taken by a placeholder
        fields = type(model).model_fields
        return {name: value for name, value in model_fields(model).items() if not _is_excluded(fields, name)}


def _is_excluded(fields: Dict[str, Any], name: str) -> bool:
    return name in fields and bool(fields[name].exclude)


def _error_as_shown(error: BaseException) -> Dict[str, object]:
    shown: Dict[str, object] = {"error": type(error).__name__, "message": _message_of(error)}
    place = location_of(error)
    if place is not None:
        shown.update(node=place.node, step=place.step, ns=place.namespace)
    return shown


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        return f"(its str() raises {type(failure).__name__})"


def _question_as_shown(question: Interrupt) -> Dict[str, object]:
    shown: List[Tuple[str, object]] = [("value", question.value), ("id", question.id)]
    schema = question.response_schema
    if schema is not None:
        # A client makes a form of it, whether the graph gave a schema or a class.
        given = schema if isinstance(schema, dict) else TypeAdapter(schema).json_schema()
        shown.append(("response_schema", given))
    return dict(shown)
