"""First values of types, and what else channels with a reducer have in common."""

from __future__ import annotations

import collections.abc
from typing import Any, Callable, Dict, List

from typing_extensions import Annotated, NotRequired, Required, get_args, get_origin

from streamgraph.channels.base import MISSING

_CONCRETE: Dict[object, Callable[[], object]] = {
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    collections.abc.Set: set,
    collections.abc.MutableSet: set,
    collections.abc.Mapping: dict,
    collections.abc.MutableMapping: dict,
}
"""For each abstract type the one whose empty instance is the first value of a channel."""


def plain_type(typ: object) -> Any:
    """Return the class of a type hint: what `Annotated`, `Required` and parameters are about."""
    origin: Any = get_origin(typ)
    if origin is None:
        return typ
    marked: List[object] = [Annotated, Required, NotRequired]
    return plain_type(get_args(typ)[0]) if origin in marked else origin


def factory_of(typ: object) -> Any:
    """Return the class that makes an empty instance of a type."""
    kind = plain_type(typ)
    return _CONCRETE.get(kind, kind)


def first_value(typ: object) -> Any:
    """Return an empty instance of a type, or `MISSING` if it has none."""
    try:
        return factory_of(typ)()
    except Exception:
        # A type that needs arguments, or a special form such as Optional: the first written value is the first value.
        return MISSING


def same_function(one: object, other: object) -> bool:
    """Return whether two reducers may be taken for the same: lambdas cannot be told apart."""
    names = [getattr(function, "__name__", "") for function in (one, other)]
    return one is other or "<lambda>" in names


def without_snapshot(checkpoint: object) -> Any:
    """Return a checkpoint, or the value of a full one in a thread in which the key is or was a `DeltaChannel`."""
    return getattr(checkpoint, "value", None) if type(checkpoint).__name__ == "_DeltaSnapshot" else checkpoint
