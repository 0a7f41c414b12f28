"""What the channels have in common that hold one value, or none."""

from __future__ import annotations

import copy
from typing import Any, Generic, Union

from typing_extensions import Self

from streamgraph.channels.base import MISSING, BaseChannel, Missing, Value
from streamgraph.errors import EmptyChannelError, InvalidUpdateError


class SingleValueChannel(BaseChannel[Value, Value, Value], Generic[Value]):
    """A channel that holds one value, or none, and is saved as that value.

    Args:
        typ: The type of its value.
        key: The key of the state that it is for.

    Attributes:
        value: The value, or `MISSING`.
    """

    __slots__ = ("value",)

    value: Any

    def __init__(self, typ: object, key: str = "") -> None:
        super().__init__(typ, key)
        self.value = MISSING

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

    def from_checkpoint(self, checkpoint: Union[Value, Missing]) -> Self:
        """Return a new channel of the same kind, with a saved value or with none."""
        made = copy.copy(self)
        made.value = checkpoint
        return made

    def checkpoint(self) -> Union[Value, Missing]:
        """Return the value, or `MISSING`."""
        return self.value  # type: ignore[no-any-return]

    def get(self) -> Value:
        """Return the value.

        Raises:
            EmptyChannelError: There is none.
        """
        if not self.is_available():
            raise EmptyChannelError()
        return self.value  # type: ignore[no-any-return]

    def is_available(self) -> bool:
        """Return whether there is a value."""
        return self.value is not MISSING


def refuse_several(channel: SingleValueChannel[Value], hint: str) -> InvalidUpdateError:
    """Return the error for several values in one step, of a channel that takes one.

    Args:
        channel: The channel.
        hint: What to do instead.
    """
    kind = type(channel).__name__
    what = f"At key {channel.key!r}: {kind} can receive only one value per step"
    return InvalidUpdateError(what, key=channel.key, hint=hint)
