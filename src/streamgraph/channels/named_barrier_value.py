"""Channels that wait until each of several names was written."""

from __future__ import annotations

import copy
from typing import Generic, Sequence, Set, Tuple, TypeVar, Union

from typing_extensions import Self

from streamgraph.channels.base import BaseChannel, Missing, Value
from streamgraph.errors import EmptyChannelError, InvalidUpdateError

__all__ = ["NamedBarrierValue", "NamedBarrierValueAfterFinish"]

Saved = TypeVar("Saved")


class _Barrier(BaseChannel[None, Value, Saved], Generic[Value, Saved]):
    """What the channels have in common that wait for names.

    Args:
        typ: The type of a name.
        names: The names to wait for.

    Attributes:
        names: The names to wait for.
        seen: The names that were written.
    """

    __slots__ = ("names", "seen")

    names: Set[Value]
    seen: Set[Value]

    def __init__(self, typ: object, names: Set[Value]) -> None:
        super().__init__(typ)
        self.names = names
        self.seen = set()

    @property
    def ValueType(self) -> object:
        """The type of a name."""
        return self.typ

    @property
    def UpdateType(self) -> object:
        """The type of a name."""
        return self.typ

    def copy(self) -> Self:
        """Return a channel that has seen the same names."""
        made = copy.copy(self)
        made.seen = set(self.seen)
        return made

    def update(self, values: Sequence[Value]) -> bool:
        """Take the names of a step.

        Raises:
            InvalidUpdateError: It does not wait for one of them.
        """
        for value in values:
            if value not in self.names:
                raise InvalidUpdateError(
                    f"At key {self.key!r}: Value {value} not in {self.names}",
                    key=self.key,
                    name=value,
                    known=self.names,
                )
        known = len(self.seen)
        self.seen.update(values)
        return len(self.seen) > known

    def get(self) -> None:
        """Return `None` if all names were written.

        Raises:
            EmptyChannelError: It is still waiting.
        """
        if not self.is_available():
            raise EmptyChannelError()


class NamedBarrierValue(_Barrier[Value, Set[Value]], Generic[Value]):
    """Has the value `None` once each of its names was written; what started a node then is forgotten.

    Args:
        typ: The type of a name.
        names: The names to wait for.
    """

    __slots__ = ()

    def __eq__(self, value: object) -> bool:
        return isinstance(value, NamedBarrierValue) and value.names == self.names

    __hash__ = None  # type: ignore[assignment]

    def checkpoint(self) -> Set[Value]:
        """Return the names that were written."""
        return self.seen

    def from_checkpoint(self, checkpoint: Union[Set[Value], Missing]) -> Self:
        """Return a new channel of the same kind, with the saved names or with none."""
        made = copy.copy(self)
        made.seen = set() if isinstance(checkpoint, Missing) else set(checkpoint)
        return made

    def is_available(self) -> bool:
        """Return whether all names were written."""
        return self.seen == self.names

    def consume(self) -> bool:
        """Forget the names if all were written."""
        if not self.is_available():
            return False
        self.seen = set()
        return True


class NamedBarrierValueAfterFinish(_Barrier[Value, Tuple[Set[Value], bool]], Generic[Value]):
    """The same, but with a value only when nothing else is due in the run.

    Args:
        typ: The type of a name.
        names: The names to wait for.

    Attributes:
        finished: Whether nothing else was due when all names had been written.
    """

    __slots__ = ("finished",)

    finished: bool

    def __init__(self, typ: object, names: Set[Value]) -> None:
        super().__init__(typ, names)
        self.finished = False

    def __eq__(self, value: object) -> bool:
        return isinstance(value, NamedBarrierValueAfterFinish) and value.names == self.names

    __hash__ = None  # type: ignore[assignment]

    def checkpoint(self) -> Tuple[Set[Value], bool]:
        """Return the names that were written, and `finished`."""
        return self.seen, self.finished

    def from_checkpoint(self, checkpoint: Union[Tuple[Set[Value], bool], Missing]) -> Self:
        """Return a new channel of the same kind, as it was saved or new."""
        made = copy.copy(self)
        if isinstance(checkpoint, Missing):
            made.seen, made.finished = set(), False
        else:
            made.seen, made.finished = set(checkpoint[0]), checkpoint[1]
        return made

    def is_available(self) -> bool:
        """Return whether all names were written and nothing else was due then."""
        return self.finished and self.seen == self.names

    def consume(self) -> bool:
        """Forget the names if there is a value."""
        if not self.is_available():
            return False
        self.seen, self.finished = set(), False
        return True

    def finish(self) -> bool:
        """Let there be a value, if all names were written."""
        if self.finished or self.seen != self.names:
            return False
        self.finished = True
        return True
