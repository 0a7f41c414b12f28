"""A value that is not saved."""

from __future__ import annotations

from typing import Generic, Sequence, Union

from streamgraph.channels._single_value import SingleValueChannel, refuse_several
from streamgraph.channels.base import MISSING, Missing, Value

__all__ = ["UntrackedValue"]


class UntrackedValue(SingleValueChannel[Value], Generic[Value]):
    """Holds the last value for the rest of the run, and is never saved: a connection, a running process.

    Args:
        typ: The type of its value.
        guard: Refuse several values in one step, instead of taking the last one.

    Attributes:
        guard: Whether several values in one step are refused.
    """

    __slots__ = ("guard",)

    guard: bool

    def __init__(self, typ: object, guard: bool = True) -> None:
        super().__init__(typ)
        self.guard = guard

    def __eq__(self, value: object) -> bool:
        return isinstance(value, UntrackedValue) and value.guard == self.guard

    __hash__ = None  # type: ignore[assignment]

    def checkpoint(self) -> Union[Value, Missing]:
        """Return `MISSING`: it is not saved."""
        return MISSING

    def from_checkpoint(self, checkpoint: Union[Value, Missing]) -> UntrackedValue[Value]:
        """Return a new channel of the same kind, without a value."""
        return super().from_checkpoint(MISSING)

    def update(self, values: Sequence[Value]) -> bool:
        """Take the value of a step.

        Raises:
            InvalidUpdateError: There are several, and the channel is guarded.
        """
        if not values:
            return False
        if self.guard and len(values) > 1:
            raise refuse_several(self, "Use UntrackedValue(..., guard=False) to take the last of several values.")
        self.value = values[-1]
        return True
