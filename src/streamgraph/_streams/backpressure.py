"""Whether there is room for what is made: how the producers of a stream hear of its consumer's pace."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Callable, Optional, Sequence

from typing_extensions import Protocol

from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.part import Part
from streamgraph.errors import StreamClosed

Put = Callable[[Part], None]
"""Takes a part; may be called from any thread."""


class Capacity(Protocol):
    """The room there is for parts on their way to a consumer that takes only so many at once."""

    @property
    def full(self) -> bool:
        """Whether whoever emits a part now ought to wait first."""

    async def wait(self) -> None:
        """Wait, on any event loop, until it is not full, or until nobody reads any more."""

    def sender(self, stop: CancelToken) -> Put:
        """Return the way in for some work: a thread waits there while it is full, but not once the work is to end.

        Args:
            stop: Tells the work to end.
        """


class CombinedCapacity:
    """The capacities on the way to the consumers of nested runs, as one.

    Args:
        capacities: Those of the own consumer, of the run around, or both.
        sender: Returns the way in for some work, given what tells the work to end.
    """

    __slots__ = ("_capacities", "sender")

    def __init__(self, capacities: Sequence[Capacity], sender: Callable[[CancelToken], Put]) -> None:
        self._capacities = capacities
        self.sender = sender

    @property
    def full(self) -> bool:
        """Whether one of them is full."""
        return any(capacity.full for capacity in self._capacities)

    async def wait(self) -> None:
        """Wait until none is full."""
        while self.full:
            for capacity in self._capacities:
                await capacity.wait()


class DetachedCapacity:
    """The way into a run for work that is not to end with it: once the run is over, nothing is taken, and nobody waits.

    Args:
        stop: Tells that the run is over, or the task in it that the work was started in.
        put: The way in.
        capacity: The room there is, if it is limited.
    """

    def __init__(self, stop: CancelToken, put: Put, capacity: Optional[Capacity]) -> None:
        self._stop = stop
        self._put = put
        self._capacity = capacity

    @property
    def full(self) -> bool:
        """Whether whoever emits a part now ought to wait first."""
        return self._capacity is not None and not self._stop.is_set and self._capacity.full

    async def wait(self) -> None:
        """Wait until it is not full, or until nobody reads any more."""
        if self.full and self._capacity is not None:
            await self._capacity.wait()

    def put(self, part: Part) -> None:
        """Take a part, if the run is not over."""
        self._pass(self._put, part)

    def sender(self, stop: CancelToken) -> Put:
        """Return the way in for some of the work.

        Args:
            stop: Tells it to end.
        """
        put = self._put if self._capacity is None else self._capacity.sender(CancelToken(stop, self._stop))
        return partial(self._pass, put)

    def _pass(self, put: Put, part: Part) -> None:
        if not self._stop.is_set:
            # The work itself is told to stop by its own signal, if that is what has kept it from waiting any longer.
            with suppress(StreamClosed):
                put(part)
