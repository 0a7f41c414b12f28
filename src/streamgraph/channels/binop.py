"""A value that a reducer makes from the current one and each written one."""

from __future__ import annotations

import collections.abc
from typing import Any, Callable, Dict, Generic, List, Sequence, Union

from typing_extensions import Annotated, NotRequired, Required, Self, get_args, get_origin

from streamgraph.channels._overwrite import read_all
from streamgraph.channels._single_value import SingleValueChannel
from streamgraph.channels.base import MISSING, Missing, Value

__all__ = ["BinaryOperatorAggregate"]

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


class BinaryOperatorAggregate(SingleValueChannel[Value], Generic[Value]):
    """Holds what a reducer makes of the current value and each written one. A key of a state with a reducer is one.

    Args:
        typ: The type of its value; the first value is an empty instance of it, if it has one.
        operator: The reducer: a function of the current value and a written one.

    Attributes:
        operator: The reducer.
    """

    __slots__ = ("operator",)

    operator: Callable[[Value, Value], Value]

    def __init__(self, typ: Any, operator: Callable[[Value, Value], Value]) -> None:
        super().__init__(typ)
        self.operator = operator
        self.value = first_value(typ)

    def __eq__(self, value: object) -> bool:
        return isinstance(value, BinaryOperatorAggregate) and same_function(self.operator, value.operator)

    __hash__ = None  # type: ignore[assignment]

    def from_checkpoint(self, checkpoint: Union[Value, Missing]) -> Self:
        """Return a new channel of the same kind, with a saved value or the first one."""
        made = super().from_checkpoint(without_snapshot(checkpoint))
        if made.value is MISSING:
            made.value = first_value(self.typ)
        return made

    def update(self, values: Sequence[Value]) -> bool:
        """Reduce the values of a step, one after the other; an `Overwrite` replaces what they make.

        Raises:
            InvalidUpdateError: There is more than one `Overwrite`.
        """
        overwritten = False
        for replaces, value in read_all(self.key, values):
            if replaces or self.value is MISSING:
                self.value = value
                overwritten = overwritten or replaces
            elif not overwritten:
                self.value = self.operator(self.value, value)  # type: ignore[arg-type]
        return bool(values)


def plain_type(typ: Any) -> Any:
    """Return the class of a type hint: what `Annotated`, `Required` and parameters are about."""
    origin: Any = get_origin(typ)
    if origin is None:
        return typ
    marked: List[object] = [Annotated, Required, NotRequired]
    return plain_type(get_args(typ)[0]) if origin in marked else origin


def factory_of(typ: Any) -> Any:
    """Return the class that makes an empty instance of a type."""
    kind = plain_type(typ)
    return _CONCRETE.get(kind, kind)


def first_value(typ: Any) -> Any:
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


def without_snapshot(checkpoint: Any) -> Any:
    """Return a checkpoint, or the value of a full one in a thread in which the key is or was a `DeltaChannel`."""
    return checkpoint.value if type(checkpoint).__name__ == "_DeltaSnapshot" else checkpoint
