"""Backpressure: the capacity for parts on their way to a consumer."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Callable, Optional, Sequence

from typing_extensions import Protocol

from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.part import Part
from streamgraph.errors import StreamClosed

Put = Callable[[Part], None]
"""Accepts a part; thread-safe."""


class Capacity(Protocol):
    """The limited capacity for parts on their way to a consumer."""

    @property
    def full(self) -> bool:
        """True if a producer should wait before it emits a part."""

    async def wait(self) -> None:
        """Wait, on any event loop, until it is not full or the consumer has left."""

    def sender(self, stop: CancelToken) -> Put:
        """Return a `Put` for work in a thread; it blocks while the capacity is full, until `stop` is set.

        Args:
            stop: Cancel token of the work.
        """


class ClosableCapacity(Capacity, Protocol):
    """The capacity of a driver's own inbox."""

    def close(self) -> None:
        """Let all producers go on: nobody takes parts any more."""


class CombinedCapacity:
    """The capacities on the way of a nested run's parts to their consumers, as one.

    Args:
        capacities: Those of the own consumer, of the parent run, or both.
        sender: Returns a `Put` for some work, given its cancel token.
    """

    __slots__ = ("_capacities", "sender")

    def __init__(self, capacities: Sequence[Capacity], sender: Callable[[CancelToken], Put]) -> None:
        self._capacities = capacities
        self.sender = sender

    @property
    def full(self) -> bool:
        """True if one of them is full."""
        for capacity in self._capacities:  # noqa: SIM110  (it is asked for each token, and `any` makes a generator)
            if capacity.full:
                return True
        return False

    async def wait(self) -> None:
        """Wait until none is full."""
        while self.full:
            for capacity in self._capacities:
                await capacity.wait()


class DetachedCapacity:
    """The capacity of a run for work that may outlive it; after the run, parts are dropped and producers never wait.

    Args:
        stop: Cancel token of the run, or of the task in it that has started the work.
        put: Adds a part to the run's stream.
        capacity: The run's capacity, if it is limited.
    """

    def __init__(self, stop: CancelToken, put: Put, capacity: Optional[Capacity]) -> None:
        self._stop = stop
        self._put = put
        self._capacity = capacity

    @property
    def full(self) -> bool:
        """True if a producer should wait before it emits a part."""
        return self._capacity is not None and not self._stop.is_set and self._capacity.full

    async def wait(self) -> None:
        """Wait until it is not full or the consumer has left."""
        if self.full and self._capacity is not None:
            await self._capacity.wait()

    def put(self, part: Part) -> None:
        """Add a part, or drop it if the run has ended."""
        self._pass(self._put, part)

    def sender(self, stop: CancelToken) -> Put:
        """Return a `Put` for some of the work.

        Args:
            stop: Cancel token of that work.
        """
        put = self._put if self._capacity is None else self._capacity.sender(CancelToken(stop, self._stop))
        return partial(self._pass, put)

    def _pass(self, put: Put, part: Part) -> None:
        if not self._stop.is_set:
            # If the work itself was cancelled while it waited, its own token ends it.
            with suppress(StreamClosed):
                put(part)
