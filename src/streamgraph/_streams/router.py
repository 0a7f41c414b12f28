"""Routes the parts of a run to its own consumer, to the parent run, or to both."""

from __future__ import annotations

from typing import Callable, Optional

from streamgraph._streams.backpressure import Capacity, CombinedCapacity, Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.copying import copy_containers
from streamgraph._streams.part import Part
from streamgraph._streams.subscribers import RunSubscribers, Subscribers

NO_CHUNK: object = object()
"""The result of `Router.shape` for a part that the consumer does not get."""


def _copied(mode: str, data: object) -> object:
    return copy_containers(data)


class ParentStream:
    """The stream of a parent run, as a nested run uses it.

    Args:
        put: Adds a part; thread-safe.
        subscribers: The subscribers to parts of nested graphs.
        capacity: The capacity for them, if it is limited.
    """

    __slots__ = ("capacity", "put", "subscribers")

    def __init__(self, put: Put, subscribers: Subscribers, capacity: Optional[Capacity] = None) -> None:
        self.put = put
        self.subscribers = subscribers
        self.capacity = capacity


class Router:
    """Routes each part of a run to its subscribers, and formats chunks for the run's own consumer.

    Args:
        subscribers: The subscribers.
        up: The stream of the parent run; `None` for a root run.
        shape: Makes a chunk of a part, or returns `NO_CHUNK`.
        copy_payload: Copies the payload of a part, given its mode, for a second consumer; by default its containers.
        emits_error_part: The own consumer gets a part for the failure of the run.

    Attributes:
        is_own: Returns True if the own consumer wants a part.
    """

    __slots__ = ("_copy_payload", "_up", "emits_error_part", "is_own", "shape", "subscribers")

    def __init__(
        self,
        subscribers: RunSubscribers,
        *,
        up: Optional[ParentStream] = None,
        shape: Callable[[Part], object],
        copy_payload: Optional[Callable[[str, object], object]] = None,
        emits_error_part: bool = False,
    ) -> None:
        self.subscribers = subscribers
        self._up = up
        self.is_own = subscribers.is_own
        self.shape = shape
        self.emits_error_part = emits_error_part
        self._copy_payload = copy_payload or _copied

    def forward(self, part: Part, up: Optional[Put] = None) -> None:
        """Give a part to the parent run, if a subscriber there wants it.

        Args:
            part: The part.
            up: Replaces the `put` of the parent stream.
        """
        if self._up is not None and self.subscribers.above.part(part):
            if self.is_own(part):
                # Both consumers get it, and a change by one of them must not be visible to the other.
                part = Part(part.ns, part.mode, self._copy_payload(part.mode, part.data), part.source, part.key)
            (up or self._up.put)(part)

    @property
    def parent_capacity(self) -> Optional[Capacity]:
        """The capacity of the parent run's stream; `None` if it has no limit."""
        return None if self._up is None else self._up.capacity

    def sender(self, inbox: Put, up: Optional[Put] = None) -> Put:
        """Return the function through which tasks and nested graphs emit parts.

        Args:
            inbox: Puts a part into the run's own inbox.
            up: Replaces the `put` of the parent stream.
        """
        if self._up is None:
            # Tasks know the subscribers and emit no unwanted parts.
            return inbox
        if not self.subscribers.read:
            # The own consumer wants no parts: they skip this run on their way up.
            return up or self._up.put

        def both(part: Part) -> None:
            self.forward(part, up)
            if self.is_own(part):
                inbox(part)

        return both

    def capacity(self, inbox: Put, own: Optional[Capacity]) -> Optional[Capacity]:
        """Return the combined capacity for parts of tasks and nested graphs, or `None` if nothing limits it.

        Args:
            inbox: Puts a part into the run's own inbox.
            own: The capacity of that inbox; `None` if it has no limit.
        """
        above = self.parent_capacity
        capacities = [capacity for capacity in (above, own) if capacity is not None]

        def sender(stop: CancelToken) -> Put:
            return self.sender(
                inbox if own is None else own.sender(stop), None if above is None else above.sender(stop)
            )

        return CombinedCapacity(capacities, sender) if capacities else None
