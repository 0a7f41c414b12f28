"""Reducers in the annotations of a state."""

from __future__ import annotations

import inspect
import operator
from typing import Callable, Optional

from streamgraph._core.plan import Channel, Reducer
from streamgraph.channels import BinaryOperatorAggregate
from streamgraph.channels._typing import factory_of, first_value
from streamgraph.channels.base import MISSING
from streamgraph.errors import StateSchemaError

_PURE = (operator.add, operator.or_, operator.and_)
"""Reducers that change nothing and make something new, whatever containers they are given."""


def reduced_channel(key: str, typ: object, reduce: Reducer, shown: Optional[object] = None) -> Channel:
    """Return the channel of a key with a reducer.

    Args:
        key: The key.
        typ: The type of its value; an empty instance of it is the first value, if it has one.
        reduce: The reducer.
        shown: The channel as users see it, if they gave one.

    Raises:
        StateSchemaError: The reducer does not take two arguments.
    """
    check_reducer(key, reduce)
    in_state = getattr(reduce, "in_state", None)
    pure = in_state is not None or reduce in _PURE
    if shown is None:
        shown = BinaryOperatorAggregate(typ, reduce)
        shown.key = key
    return Channel(key, in_state or reduce, _default(typ), getattr(reduce, "prepare", None), pure, shown=shown)


def check_reducer(key: str, reduce: Reducer) -> None:
    """Raise `StateSchemaError` unless a reducer takes two arguments, as far as its signature can be read."""
    try:
        parameters = inspect.signature(reduce).parameters.values()
    except (TypeError, ValueError):
        # Some builtins, such as max, have no signature to check.
        return
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if len(required) > 2 or (len(positional) < 2 and not variadic):
        name = getattr(reduce, "__name__", repr(reduce))
        raise StateSchemaError(
            f"Invalid reducer signature: {name} must take two arguments, the current value and the update",
            key=key,
        )


def _default(typ: object) -> Optional[Callable[[], object]]:
    """Return the factory for the initial value of a key with a reducer, or `None` if its type has none."""
    if first_value(typ) is MISSING:
        return None
    make: Callable[[], object] = factory_of(typ)
    return make
