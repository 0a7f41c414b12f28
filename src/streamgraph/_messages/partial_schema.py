"""Prune an unfinished JSON value to what its JSON schema allows."""

from __future__ import annotations

import re
from operator import ge, gt, le, lt
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple, Union

from streamgraph._messages.partial_json import MISSING

Json = Any
"""A partial JSON value, or `MISSING`."""

Schema = Mapping[str, Any]
"""A JSON schema that is an object; `True` and `False` are valid schemas as well."""

_TYPES: Dict[str, Tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}

_LINKS = 10
"""Maximum length of a chain of references."""

_BOUNDS: Dict[str, Callable[[float, float], bool]] = {
    "minimum": ge,
    "maximum": le,
    "exclusiveMinimum": gt,
    "exclusiveMaximum": lt,
}

_WHOLE_ONLY = ("const", "enum", "format", "pattern", "minLength")
"""Keywords that only a complete string can be checked against."""


class PartialSchema:
    """Prunes a partial value to what its JSON schema can still accept.

    The result is valid except for required keys that are still to come. Enumeration members, dates and numbers appear
    when they are complete; other strings grow.

    Args:
        schema: The JSON schema.
    """

    def __init__(self, schema: Schema) -> None:
        self._root = schema

    def of(self, value: Json, unfinished: bool) -> Json:
        """Return the pruned `value`, or `MISSING` if nothing is left.

        Args:
            value: The partial value.
            unfinished: True if the value ends inside a string.
        """
        return self._fit(value, self._root, unfinished)

    def _fit(self, value: Json, given: object, unfinished: bool) -> Json:
        schema = self._resolved(given)
        if not isinstance(schema, Mapping) or not schema:
            return MISSING if schema is False else value
        for options in (schema.get("anyOf"), schema.get("oneOf")):
            if options:
                value = self._best(value, options, unfinished)
        for part in schema.get("allOf") or ():
            value = MISSING if value is MISSING else self._fit(value, part, unfinished)
        if value is MISSING or not _is_of(value, schema.get("type")):
            return MISSING
        if isinstance(value, str) and not _text_fits(value, schema, unfinished):
            return MISSING
        if ("enum" in schema and value not in schema["enum"]) or ("const" in schema and value != schema["const"]):
            return MISSING
        if isinstance(value, (int, float)) and not all(
            within(value, schema[bound])
            for bound, within in _BOUNDS.items()
            if type(schema.get(bound))
            in (int, float)  # in old drafts `exclusiveMinimum` and `exclusiveMaximum` are booleans
        ):
            return MISSING
        if isinstance(value, dict):
            return self._object(value, schema, unfinished)
        return self._array(value, schema, unfinished) if isinstance(value, list) else value

    def _object(self, value: Dict[str, Json], schema: Schema, unfinished: bool) -> Json:
        properties = schema.get("properties") or {}
        others = schema.get("additionalProperties", True)
        last = next(reversed(value), None)
        fitted = {
            key: self._fit(item, properties.get(key, others), unfinished and key == last) for key, item in value.items()
        }
        return {key: item for key, item in fitted.items() if item is not MISSING}

    def _array(self, value: List[Json], schema: Schema, unfinished: bool) -> Json:
        first, others = schema.get("prefixItems") or (), schema.get("items", True)
        fitted = []
        for number, item in enumerate(value):
            kind = first[number] if number < len(first) else others
            fitted.append(self._fit(item, kind, unfinished and number == len(value) - 1))
        found = [item for item in fitted if item is not MISSING]
        return found if schema.get("minItems", 0) <= len(found) <= schema.get("maxItems", len(found)) else MISSING

    def _best(self, value: Json, options: Sequence[object], unfinished: bool) -> Json:
        """Return the result of the `anyOf` or `oneOf` branch that keeps most of the value."""
        if unfinished and isinstance(value, str):
            # Under a branch with `maxLength`, a growing string would have to be retracted once it is too long.
            options = [option for option in map(self._resolved, options) if "maxLength" not in option]
        fitted = [self._fit(value, option, unfinished) for option in options]
        whole = next((item for item in fitted if item is not MISSING and item == value), MISSING)
        return whole if whole is not MISSING else max(fitted, key=_size, default=MISSING)

    def _resolved(self, schema: object) -> Json:
        for _ in range(_LINKS):
            if not isinstance(schema, Mapping) or "$ref" not in schema:
                break
            target: object = self._root
            for name in filter(None, schema["$ref"].lstrip("#").split("/")):
                target = target.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
            siblings = {key: item for key, item in schema.items() if key != "$ref"}
            schema = {**target, **siblings} if isinstance(target, Mapping) else siblings
        return schema


def _is_of(value: object, kind: Union[str, Sequence[str], None]) -> bool:
    if kind is None:
        return True
    kinds = [kind] if isinstance(kind, str) else kind
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return True
    return any(isinstance(value, _TYPES.get(name, (object,))) for name in kinds)


def _text_fits(text: str, schema: Schema, unfinished: bool) -> bool:
    if len(text) > schema.get("maxLength", len(text)):
        return False
    if unfinished:
        return not any(key in schema for key in _WHOLE_ONLY)
    if len(text) < schema.get("minLength", 0):
        return False
    try:
        return re.search(schema.get("pattern", ""), text) is not None
    except re.error:
        # Patterns of other dialects, such as pydantic's, are checked by the parser of the complete object.
        return True


def _size(value: object) -> int:
    return -1 if value is MISSING else len(value) if isinstance(value, (dict, list)) else 0
