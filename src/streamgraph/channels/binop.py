"""A value that a reducer makes from the current one and each written one."""

from __future__ import annotations

from typing import Callable, Generic, Sequence, Union

from typing_extensions import Self

from streamgraph.channels._overwrite import read_all
from streamgraph.channels._single_value import SingleValueChannel
from streamgraph.channels._typing import first_value, same_function, without_snapshot
from streamgraph.channels._typing import plain_type as _strip_extras  # noqa: F401  (LangGraph's name and place for it)
from streamgraph.channels.base import MISSING, Missing, Value

__all__ = ["BinaryOperatorAggregate"]


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

    def __init__(self, typ: object, operator: Callable[[Value, Value], Value]) -> None:
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
