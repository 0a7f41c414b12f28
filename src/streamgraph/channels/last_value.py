"""The last value that was written, at once or at the end of the run."""

from __future__ import annotations

import copy
from typing import Any, Generic, Sequence, Tuple, Union

from typing_extensions import Self

from streamgraph.channels._single_value import SingleValueChannel
from streamgraph.channels.base import MISSING, BaseChannel, Missing, Value
from streamgraph.errors import EmptyChannelError, InvalidUpdateError

__all__ = ["LastValue", "LastValueAfterFinish"]


class LastValue(SingleValueChannel[Value], Generic[Value]):
    """Holds the last value, and takes one in a step. A key of a state without any annotation is one."""

    __slots__ = ()

    def __eq__(self, value: object) -> bool:
        return isinstance(value, LastValue)

    __hash__ = None  # type: ignore[assignment]

    def update(self, values: Sequence[Value]) -> bool:
        """Take the value of a step.

        Raises:
            InvalidUpdateError: There are several.
        """
        if not values:
            return False
        if len(values) > 1:
            raise InvalidUpdateError(
                f"At key {self.key!r}: Can receive only one value per step",
                key=self.key,
                hint="To combine several values, give the key a reducer: Annotated[..., reducer].",
            )
        self.value = values[-1]
        return True


class LastValueAfterFinish(BaseChannel[Value, Value, Tuple[Value, bool]], Generic[Value]):
    """Holds the last value, which can be read only when nothing else is due in the run.

    Args:
        typ: The type of its value.
        key: The key of the state that it is for.

    Attributes:
        value: The value, or `MISSING`.
        finished: Whether it can be read.
    """

    __slots__ = ("finished", "value")

    value: Any
    finished: bool

    def __init__(self, typ: object, key: str = "") -> None:
        super().__init__(typ, key)
        self.value = MISSING
        self.finished = False

    def __eq__(self, value: object) -> bool:
        return isinstance(value, LastValueAfterFinish)

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
        """Return a channel with the same value."""
        return copy.copy(self)

    def checkpoint(self) -> Union[Tuple[Value, bool], Missing]:
        """Return the value and whether it can be read, or `MISSING`."""
        return MISSING if self.value is MISSING else (self.value, self.finished)

    def from_checkpoint(self, checkpoint: Union[Tuple[Value, bool], Missing]) -> Self:
        """Return a new channel of the same kind, as it was saved or without a value."""
        made = copy.copy(self)
        made.value, made.finished = (MISSING, False) if isinstance(checkpoint, Missing) else checkpoint
        return made

    def update(self, values: Sequence[Value]) -> bool:
        """Take the last value of a step; it can be read after the next `finish`."""
        if not values:
            return False
        self.value, self.finished = values[-1], False
        return True

    def consume(self) -> bool:
        """Drop a value that could be read."""
        if not self.finished:
            return False
        self.value, self.finished = MISSING, False
        return True

    def finish(self) -> bool:
        """Let the value be read, if there is one."""
        if self.finished or self.value is MISSING:
            return False
        self.finished = True
        return True

    def get(self) -> Value:
        """Return the value.

        Raises:
            EmptyChannelError: There is none, or it cannot be read yet.
        """
        if not self.is_available():
            raise EmptyChannelError()
        return self.value  # type: ignore[no-any-return]

    def is_available(self) -> bool:
        """Return whether there is a value that can be read."""
        return self.finished and self.value is not MISSING
