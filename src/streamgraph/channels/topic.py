"""A list of what was written, of one step or of all."""

from __future__ import annotations

import collections.abc
import copy
from typing import Generic, List, Sequence, Tuple, Union

from typing_extensions import Self

from streamgraph.channels.base import BaseChannel, Missing, Value
from streamgraph.errors import EmptyChannelError

__all__ = ["Topic"]


class Topic(BaseChannel[Sequence[Value], Union[Value, List[Value]], List[Value]], Generic[Value]):
    """Collects the values of a step in a list; a written list stands for its items.

    Args:
        typ: The type of one item.
        accumulate: Keep the items of earlier steps. Without it each step begins with an empty list.

    Attributes:
        accumulate: Whether the items of earlier steps are kept.
        values: The items.
    """

    __slots__ = ("accumulate", "values")

    accumulate: bool
    values: List[Value]

    def __init__(self, typ: object, accumulate: bool = False) -> None:
        super().__init__(typ)
        self.accumulate = accumulate
        self.values = []

    def __eq__(self, value: object) -> bool:
        return isinstance(value, Topic) and value.accumulate == self.accumulate

    __hash__ = None  # type: ignore[assignment]

    @property
    def ValueType(self) -> object:
        """The type of the value that it holds."""
        return collections.abc.Sequence[self.typ]  # type: ignore[name-defined]

    @property
    def UpdateType(self) -> object:
        """The type of a value that is written to it."""
        return Union[self.typ, list[self.typ]]  # type: ignore[name-defined]

    def copy(self) -> Self:
        """Return a channel with a list of the same items."""
        made = copy.copy(self)
        made.values = list(self.values)
        return made

    def checkpoint(self) -> List[Value]:
        """Return the items."""
        return self.values

    def from_checkpoint(self, checkpoint: Union[List[Value], Tuple[object, List[Value]], Missing]) -> Self:
        """Return a new channel of the same kind, with the saved items or with none."""
        made = copy.copy(self)
        if isinstance(checkpoint, Missing):
            made.values = []
        else:
            # LangGraph once saved a pair, of the items it had seen and the list.
            made.values = list(checkpoint[1] if isinstance(checkpoint, tuple) else checkpoint)
        return made

    def update(self, values: Sequence[Union[Value, List[Value]]]) -> bool:
        """Take the items of a step; without `accumulate` they replace those of the last one."""
        added: List[Value] = []
        for value in values:
            if isinstance(value, list):
                added.extend(value)
            else:
                added.append(value)
        if self.accumulate:
            self.values.extend(added)
            return bool(added)
        changed = bool(self.values or added)
        self.values = added
        return changed

    def get(self) -> Sequence[Value]:
        """Return a list of the items.

        Raises:
            EmptyChannelError: There are none.
        """
        if not self.values:
            raise EmptyChannelError()
        return list(self.values)

    def is_available(self) -> bool:
        """Return whether there are items."""
        return bool(self.values)
