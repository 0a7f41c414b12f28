"""Where the parts of a run go: to its own consumer, to the run around it, or both."""

from __future__ import annotations

from typing import Callable, Optional

from streamgraph._streams.audience import Audience, Subscribers
from streamgraph._streams.backpressure import Capacity, CombinedCapacity, Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.copying import copy_containers
from streamgraph._streams.part import Part

NO_CHUNK: object = object()
"""What a shape makes of a part that the consumer does not get."""


def _copied(mode: str, data: object) -> object:
    return copy_containers(data)


class ParentStream:
    """What the run around a nested one takes from it.

    Args:
        put: Takes a part; may be called from any thread.
        subscribers: Who wants parts of graphs below it.
        capacity: The room it has for them, if that is limited.
    """

    __slots__ = ("capacity", "put", "subscribers")

    def __init__(self, put: Put, subscribers: Subscribers, capacity: Optional[Capacity] = None) -> None:
        self.put = put
        self.subscribers = subscribers
        self.capacity = capacity


class Router:
    """Takes each part of a run to those who want it, and shapes what its own consumer gets.

    Args:
        audience: Who wants what.
        up: The run around it, if there is one.
        shape: Makes a chunk of a part, or `NO_CHUNK`.
        copy_payload: Copies the payload of a part, given its mode, for a second consumer; containers by default.
        emits_error_part: Whether a part tells the own consumer of the failure of the run.

    Attributes:
        is_own: Tells whether the own consumer wants a part.
    """

    __slots__ = ("_copy_payload", "_up", "audience", "emits_error_part", "is_own", "shape")

    def __init__(
        self,
        audience: Audience,
        *,
        up: Optional[ParentStream] = None,
        shape: Callable[[Part], object],
        copy_payload: Optional[Callable[[str, object], object]] = None,
        emits_error_part: bool = False,
    ) -> None:
        self.audience = audience
        self._up = up
        self.is_own = audience.is_own
        self.shape = shape
        self.emits_error_part = emits_error_part
        self._copy_payload = copy_payload or _copied

    def forward(self, part: Part, up: Optional[Put] = None) -> None:
        """Give a part to the run around, if anybody wants it there.

        Args:
            part: The part.
            up: The way into the run around, if not the usual one.
        """
        if self._up is not None and self.audience.above.part(part):
            if self.is_own(part):
                # Two will read it, and what one of them does to it must not reach the other.
                part = Part(part.ns, part.mode, self._copy_payload(part.mode, part.data), part.source, part.key)
            (up or self._up.put)(part)

    @property
    def parent_capacity(self) -> Optional[Capacity]:
        """The room in the run around, if that is limited."""
        return None if self._up is None else self._up.capacity

    def sender(self, inbox: Put, up: Optional[Put] = None) -> Put:
        """Return the function through which tasks and nested graphs emit.

        Args:
            inbox: Puts a part into the run's own inbox.
            up: The way into the run around, if not the usual one.
        """
        if self._up is None:
            # Tasks know who watches: what nobody wants to see is not emitted.
            return inbox
        if not self.audience.read:
            # Nobody reads here: parts skip this level on their way to the run that is being read.
            return up or self._up.put

        def both(part: Part) -> None:
            self.forward(part, up)
            if self.is_own(part):
                inbox(part)

        return both

    def capacity(self, inbox: Put, own: Optional[Capacity]) -> Optional[Capacity]:
        """Return the room that there is for what tasks and nested graphs emit, or `None` if nothing limits it.

        Args:
            inbox: Puts a part into the run's own inbox.
            own: The room in there, if that is limited.
        """
        above = self.parent_capacity
        capacities = [capacity for capacity in (above, own) if capacity is not None]

        def sender(stop: CancelToken) -> Put:
            return self.sender(
                inbox if own is None else own.sender(stop), None if above is None else above.sender(stop)
            )

        return CombinedCapacity(capacities, sender) if capacities else None
