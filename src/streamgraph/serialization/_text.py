"""The leaves of JSON text: strings with lone surrogates, and names for what cannot be written."""

from __future__ import annotations

from typing import Any, FrozenSet, Set

from pydantic_core import to_json

TAG = "$type"
"""The key under which exact JSON says what an object stands for."""

LIMIT = 180
"""How deep JSON is nested at most. What lies deeper becomes a placeholder: parsers refuse it (pydantic's at 200)."""

LONGEST = 1000
"""The characters of a placeholder's description."""

SCALARS: FrozenSet[type] = frozenset((str, int, bool, type(None)))


def is_pure(value: Any, exact: bool, depth: int, active: Set[int]) -> bool:
    """Return whether a value is plain JSON all through, so that it can be written in one call.

    Args:
        value: The value.
        exact: Objects with the key `$type` are not, since a reader would take them for something else.
        depth: How deep it is nested already.
        active: The ids of the containers that it lies in; a container in itself has no end.
    """
    kind = type(value)
    if kind in SCALARS:
        return True
    if kind is float:
        return bool(value - value == 0.0)  # neither infinite nor NaN
    if kind is tuple:
        if exact:
            return False
    elif kind is not dict and kind is not list:
        return False
    if depth >= LIMIT or id(value) in active:
        return False
    active.add(id(value))
    depth += 1
    try:
        if kind is not dict:
            return all(type(item) in SCALARS or is_pure(item, exact, depth, active) for item in value)
        if exact and TAG in value:
            return False
        for key, item in value.items():
            if type(key) is not str or (type(item) not in SCALARS and not is_pure(item, exact, depth, active)):
                return False
        return True
    finally:
        active.discard(id(value))


def written_text(text: str) -> bytes:
    """Return a string as JSON, with a replacement character for each surrogate that is not half of a pair."""
    try:
        return to_json(text)
    except Exception:  # a lone surrogate, for which UTF-8 has no form
        return to_json(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def is_sound(text: str) -> bool:
    """Return whether a string has a form in UTF-8: no half of a pair of surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def class_name(value: object) -> str:
    """Return the class of a value with its module, for a human reader."""
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def description(value: object) -> str:
    """Return the `repr` of a value, cut, or why it has none."""
    try:
        text = repr(value)
    except Exception as error:
        return f"its repr() raises {type(error).__name__}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
