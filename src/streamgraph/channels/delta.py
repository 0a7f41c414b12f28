"""A value that a reducer makes from the current one and all written ones of a step at once."""

from __future__ import annotations

import copy
from typing import Any, Callable, Generic, List, Optional, Sequence, Tuple

from typing_extensions import Self

from streamgraph.channels._overwrite import overwriting, read_all
from streamgraph.channels._typing import factory_of, same_function, without_snapshot
from streamgraph.channels.base import MISSING, BaseChannel, Missing, Value
from streamgraph.errors import EmptyChannelError

__all__ = ["DeltaChannel"]


class DeltaChannel(BaseChannel[Any, Any, Any], Generic[Value]):
    """Holds what a reducer makes of the current value and the list of all values that a step writes.

    A saved thread has what was written instead of the value, and the value itself now and then. The reducer must
    therefore give the same for two lists of values one after the other as for both at once.

    Args:
        reducer: A function of the current value and a list of written ones.
        typ: The type of the value; an empty instance of it is the first value. In the annotation of a state it is taken
            from there.
        snapshot_frequency: After how many updates the value itself is saved.

    Attributes:
        reducer: The reducer.
        snapshot_frequency: After how many updates the value itself is saved.
        value: The value, or `MISSING`.

    Raises:
        ValueError: `snapshot_frequency` is not positive.
    """

    __slots__ = ("reducer", "snapshot_frequency", "value")

    typ: Any
    value: Any

    def __init__(
        self,
        reducer: Callable[[Any, List[Any]], Any],
        typ: Optional[Any] = None,
        *,
        snapshot_frequency: int = 100,
    ) -> None:
        if snapshot_frequency <= 0:
            raise ValueError(f"snapshot_frequency must be a positive int, got {snapshot_frequency}")
        super().__init__(list if typ is None else factory_of(typ))
        self.reducer = reducer
        self.snapshot_frequency = snapshot_frequency
        self.value = MISSING

    def __eq__(self, value: object) -> bool:
        return (
            isinstance(value, DeltaChannel)
            and value.snapshot_frequency == self.snapshot_frequency
            and same_function(self.reducer, value.reducer)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def ValueType(self) -> object:
        """The type of the value that it holds."""
        return self.typ

    @property
    def UpdateType(self) -> object:
        """The type of a value that is written to it."""
        return self.typ

    def copy(self) -> Self:
        """Return a channel with a copy of the value's container."""
        made = copy.copy(self)
        made.value = copy.copy(self.value)
        return made

    def checkpoint(self) -> Any:
        """Return `MISSING`: what was written is saved in place of the value."""
        return MISSING

    def from_checkpoint(self, checkpoint: object) -> Self:
        """Return a new channel of the same kind.

        Args:
            checkpoint: A full checkpoint, or a value that was saved when the key had another channel; `MISSING` or
                `None` for an empty instance of its type.
        """
        made = copy.copy(self)
        nothing = checkpoint is None or isinstance(checkpoint, Missing)
        made.value = self.typ() if nothing else without_snapshot(checkpoint)
        return made

    def replay_writes(self, writes: Sequence[Tuple[str, str, Any]]) -> None:
        """Take what several steps wrote, all at once; of several `Overwrite`s the last one counts.

        Args:
            writes: The saved writes from the oldest to the newest: a task's id, the key and the value.
        """
        base: Any = self.value
        values: List[Any] = []
        for _, _, value in writes:
            replaces, inner = overwriting(value)
            if replaces:
                base, values = self._replacing(inner), []
            else:
                values.append(value)
        self.value = self.reducer(base, values) if values else base

    def update(self, values: Sequence[Any]) -> bool:
        """Reduce all values of a step at once; an `Overwrite` replaces the value, and the others are dropped.

        Raises:
            InvalidUpdateError: There is more than one `Overwrite`.
        """
        if not values:
            return False
        found = read_all(self.key, values)
        replacing = [inner for replaces, inner in found if replaces]
        if replacing:
            self.value = self._replacing(replacing[0])
        else:
            base = self.typ() if self.value is MISSING else self.value
            self.value = self.reducer(base, list(values))
        return True

    def get(self) -> Any:
        """Return the value.

        Raises:
            EmptyChannelError: There is none.
        """
        if self.value is MISSING:
            raise EmptyChannelError()
        return self.value

    def is_available(self) -> bool:
        """Return whether there is a value."""
        return self.value is not MISSING

    def _replacing(self, value: Any) -> Any:
        return self.typ() if value is None else copy.copy(value)
