"""Any one of the values of the last step."""

from __future__ import annotations

from typing import Generic, Sequence

from streamgraph.channels._single_value import SingleValueChannel
from streamgraph.channels.base import MISSING, Value

__all__ = ["AnyValue"]


class AnyValue(SingleValueChannel[Value], Generic[Value]):
    """Holds the last of the values of a step, which are taken to be equal; a step without one empties it."""

    __slots__ = ()

    def __eq__(self, value: object) -> bool:
        return isinstance(value, AnyValue)

    __hash__ = None  # type: ignore[assignment]

    def update(self, values: Sequence[Value]) -> bool:
        """Take the last value of a step, or become empty."""
        changed = bool(values) or self.is_available()
        self.value = values[-1] if values else MISSING
        return changed
