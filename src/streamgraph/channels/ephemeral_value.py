"""A value for the next step only."""

from __future__ import annotations

from typing import Generic, Sequence

from streamgraph.channels._single_value import SingleValueChannel, refuse_several
from streamgraph.channels.base import MISSING, Value

__all__ = ["EphemeralValue"]


class EphemeralValue(SingleValueChannel[Value], Generic[Value]):
    """Holds what the last step wrote; a step that writes nothing empties it.

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
        return isinstance(value, EphemeralValue) and value.guard == self.guard

    __hash__ = None  # type: ignore[assignment]

    def update(self, values: Sequence[Value]) -> bool:
        """Take the value of a step, or become empty.

        Raises:
            InvalidUpdateError: There are several, and the channel is guarded.
        """
        if self.guard and len(values) > 1:
            raise refuse_several(self, "Use EphemeralValue(..., guard=False) to take the last of several values.")
        changed = bool(values) or self.is_available()
        self.value = values[-1] if values else MISSING
        return changed
