"""What a part of a value is, and whether it is valid, written down without a look at the product."""

from __future__ import annotations

import datetime
import math
import re
from typing import Any, Dict, List, Mapping, Sequence

KINDS: Dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "array": list,
    "object": dict,
}


def is_part(part: Any, whole: Any) -> bool:
    """Whether a value is the beginning of another: the end of it may be missing, and nothing else."""
    if isinstance(whole, dict) and isinstance(part, dict):
        keys = list(part)
        return keys == list(whole)[: len(keys)] and _ends_in_part([*part.values()], [*whole.values()])
    if isinstance(whole, list) and isinstance(part, list):
        return _ends_in_part(part, whole)
    if isinstance(whole, str) and isinstance(part, str):
        return whole.startswith(part)
    return same(part, whole)


def _ends_in_part(part: Sequence[Any], whole: Sequence[Any]) -> bool:
    if len(part) > len(whole):
        return False
    return all(same(*pair) for pair in zip(part[:-1], whole)) and (not part or is_part(part[-1], whole[len(part) - 1]))


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same, of the same types and with their keys in the same order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def check_growth(parts: List[Any], whole: Any) -> None:
    """Each part is the beginning of the next, and differs from it; the last one is the beginning of the whole."""
    for part, following in zip(parts, [*parts[1:], None]):
        assert is_part(part, whole), (part, whole)
        if following is not None:
            assert is_part(part, following), ("it has shrunk", part, following)
            assert not same(part, following), ("twice", part)


def faults(value: Any, schema: Any, root: Any = None, path: str = "$") -> List[str]:
    """What is wrong with a value by its JSON schema, but for required keys that it does not have."""
    root = schema if root is None else root
    if schema is True or schema is False:
        return [] if schema else [f"{path}: nothing is allowed here"]
    if "$ref" in schema:
        target: Any = root
        for name in schema["$ref"].split("/")[1:]:
            target = target[name]
        rest = {key: item for key, item in schema.items() if key != "$ref"}
        return faults(value, target, root, path) + faults(value, rest, root, path)
    found = _of_kind(value, schema, path)
    for word in ("anyOf", "oneOf"):
        options = schema.get(word)
        if options and all(faults(value, option, root, path) for option in options):
            found.append(f"{path}: {value!r} is none of {options}")
    for part in schema.get("allOf", ()):
        found += faults(value, part, root, path)
    if isinstance(value, dict):
        for key, item in value.items():
            kind = schema.get("properties", {}).get(key, schema.get("additionalProperties", True))
            found += faults(item, kind, root, f"{path}.{key}")
    if isinstance(value, list):
        first = schema.get("prefixItems", ())
        for number, item in enumerate(value):
            kind = first[number] if number < len(first) else schema.get("items", True)
            found += faults(item, kind, root, f"{path}[{number}]")
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
            found.append(f"{path}: {len(value)} items")
    return found


def _of_kind(value: Any, schema: Mapping[str, Any], path: str) -> List[str]:
    found = []
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds is not None and not any(_is(value, kind) for kind in kinds):
        found.append(f"{path}: {value!r} is no {kinds}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} is none of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{path}: {value!r} is not {schema['const']!r}")
    if isinstance(value, str):
        if "pattern" in schema and re.search(schema["pattern"], value) is None:
            found.append(f"{path}: {value!r} is not like {schema['pattern']}")
        if schema.get("format") == "date" and not _is_date(value):
            found.append(f"{path}: {value!r} is no date")
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf):
            found.append(f"{path}: {value!r} has {len(value)} characters")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf):
            found.append(f"{path}: {value!r} is out of bounds")
    return found


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, KINDS[kind])


def _is_date(value: str) -> bool:
    try:
        return datetime.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
