"""Whether there is room for what is made: how the producers of a stream hear of its consumer's pace."""

from __future__ import annotations

from typing import Callable, Sequence

from typing_extensions import Protocol

from streamgraph._core._events import Emitted
from streamgraph._core._stop import Stop

Put = Callable[[Emitted], None]
"""Takes a part; may be called from any thread."""


class Room(Protocol):
    """The room there is for parts on their way to a consumer that takes only so many at once."""

    @property
    def full(self) -> bool:
        """Whether whoever emits a part now ought to wait first."""

    async def wait(self) -> None:
        """Wait, on any event loop, until it is not full, or until nobody reads any more."""

    def entrance(self, stop: Stop) -> Put:
        """Return the way in for some work: a thread waits there while it is full, but not once the work is to end.

        Args:
            stop: Tells the work to end.
        """


class Way:
    """The way to a consumer through the outlets of nested runs, some of which have a limited number of places.

    Args:
        rooms: The places that are limited: those of the own consumer, of the run around, or both.
        connect: Returns the way in, given what tells the work to end that uses it.
    """

    __slots__ = ("_rooms", "entrance")

    def __init__(self, rooms: Sequence[Room], connect: Callable[[Stop], Put]) -> None:
        self._rooms = rooms
        self.entrance = connect

    @property
    def full(self) -> bool:
        """Whether one of them is full."""
        return any(room.full for room in self._rooms)

    async def wait(self) -> None:
        """Wait until none is full."""
        while self.full:
            for room in self._rooms:
                await room.wait()
