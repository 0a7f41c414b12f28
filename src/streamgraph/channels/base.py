"""The interface of a channel: what holds the value of one key of the state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, Sequence, TypeVar, Union

from typing_extensions import Self

from streamgraph.errors import EmptyChannelError

__all__ = ["MISSING", "BaseChannel", "Missing"]

Value = TypeVar("Value")
Update = TypeVar("Update")
Checkpoint = TypeVar("Checkpoint")


class Missing:
    """The class of `MISSING`, which stands for a value or a checkpoint that there is not; `None` may be a value."""

    def __repr__(self) -> str:
        return "MISSING"

    def __copy__(self) -> Missing:
        return self

    def __deepcopy__(self, memo: object) -> Missing:
        return self

    def __reduce__(self) -> str:
        return "MISSING"


MISSING = Missing()


class BaseChannel(Generic[Value, Update, Checkpoint], ABC):
    """Holds the value of one key of the state, and decides what becomes of what is written to it.

    A subclass can be used in the annotations of a state. A graph keeps the object that it is given as it is: each run
    has one of its own, made with `from_checkpoint`, and each step writes to a copy of it, made with `copy`.

    Args:
        typ: The type of its value.
        key: The key of the state that it is for.

    Attributes:
        typ: The type of its value.
        key: The key of the state that it is for.
    """

    __slots__ = ("key", "typ")

    def __init__(self, typ: Any, key: str = "") -> None:
        self.typ = typ
        self.key = key

    @property
    @abstractmethod
    def ValueType(self) -> object:
        """The type of the value that it holds."""

    @property
    @abstractmethod
    def UpdateType(self) -> object:
        """The type of a value that is written to it."""

    def copy(self) -> Self:
        """Return a channel with the same value; writing to one of them does not change the other."""
        return self.from_checkpoint(self.checkpoint())

    def checkpoint(self) -> Union[Checkpoint, Missing]:
        """Return what `from_checkpoint` makes the channel from again, or `MISSING` if it is empty or not saved."""
        try:
            return self.get()  # type: ignore[return-value]  # for a channel that is saved as its value
        except EmptyChannelError:
            return MISSING

    @abstractmethod
    def from_checkpoint(self, checkpoint: Union[Checkpoint, Missing]) -> Self:
        """Return a new channel of the same kind.

        Args:
            checkpoint: What `checkpoint` returned; `MISSING` for an empty channel. A list or dict in it should be
                copied if `update` changes it in place.
        """

    @abstractmethod
    def get(self) -> Value:
        """Return the value.

        Raises:
            EmptyChannelError: There is none.
        """

    def is_available(self) -> bool:
        """Return whether there is a value. A subclass may have a faster way to tell than to call `get`."""
        try:
            self.get()
        except EmptyChannelError:
            return False
        return True

    @abstractmethod
    def update(self, values: Sequence[Update]) -> bool:
        """Take all that was written in one step, and return whether the channel has changed.

        Args:
            values: The written values. At the end of a step in which nothing was written to the channel, it is called
                without values if there is a value.

        Raises:
            InvalidUpdateError: The channel does not take these values.
        """

    def consume(self) -> bool:
        """Learn that a node has run which the channel had started; return whether the channel has changed."""
        return False

    def finish(self) -> bool:
        """Learn that nothing else is due in the run; return whether the channel has changed."""
        return False
