"""Where the parts of a run go: to its own consumer, to the run around it, or both."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable, FrozenSet, Optional, Sequence, Tuple

from streamgraph._streams.backpressure import Capacity, CombinedCapacity, Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.copying import copy_containers
from streamgraph._streams.filters import Filter, Subscriber, Subscribers
from streamgraph._streams.modes import LIVE_MODES
from streamgraph._streams.part import Part

NO_CHUNK: Any = object()
"""What a shape makes of a part that the consumer does not get."""

_NONE: FrozenSet[str] = frozenset()
_NOBODY = Subscribers(())


def _copied(mode: str, data: Any) -> Any:
    return copy_containers(data)


def _subscribers(modes: FrozenSet[str], filter_: Optional[Filter], above: Sequence[Subscriber]) -> Subscribers:
    return Subscribers(((modes, filter_), *above)) if above or filter_ is not None else _subscribers_of(modes)


@lru_cache(maxsize=256)
def _subscribers_of(modes: FrozenSet[str]) -> Subscribers:
    """Return the one subscriber who leaves nothing out; it never changes, so runs can share it."""
    return Subscribers(((modes, None),))


class ParentStream:
    """What the run around a nested one takes from it.

    Args:
        put: Takes a part; may be called from any thread.
        modes: The modes it wants from graphs below it.
        subscribers: Who wants them; by default somebody without a filter.
        capacity: The room it has for them, if that is limited.
    """

    __slots__ = ("capacity", "modes", "put", "subscribers")

    def __init__(
        self,
        put: Put,
        modes: FrozenSet[str],
        subscribers: Optional[Subscribers] = None,
        capacity: Optional[Capacity] = None,
    ) -> None:
        self.put = put
        self.modes = modes
        self.subscribers = subscribers or Subscribers(((modes, None),))
        self.capacity = capacity


class Router:
    """Decides for each part of a run who gets it, and in which shape its own consumer does.

    Args:
        ns: The namespace of the run's graph.
        modes: The modes its own consumer asked for.
        nested: The modes its own consumer wants from graphs below.
        up: The run around it, if there is one.
        shape: Makes a chunk of a part, or `NO_CHUNK`.
        filter_: What its own consumer leaves out.
        copy_payload: Copies the payload of a part, given its mode, for a second consumer; containers by default.
        emits_error_part: Whether a part tells the own consumer of the failure of the run.
    """

    __slots__ = (
        "_copy_payload",
        "_depth",
        "_filter",
        "_parent_subscribers",
        "_up",
        "_up_modes",
        "emits_error_part",
        "live",
        "modes",
        "nested",
        "shape",
        "sole_consumer",
        "subscribers",
        "subscribers_below",
        "wanted",
        "wanted_below",
    )

    def __init__(
        self,
        ns: Tuple[str, ...],
        modes: FrozenSet[str],
        nested: FrozenSet[str],
        *,
        up: Optional[ParentStream] = None,
        shape: Callable[[Part], Any],
        filter_: Optional[Filter] = None,
        copy_payload: Optional[Callable[[str, Any], Any]] = None,
        emits_error_part: bool = False,
    ) -> None:
        self._depth = len(ns)
        self._up = up
        # Custom data that somebody reads from this stream is theirs: they may well pass it on by hand.
        self._up_modes = (up.modes - (modes & {"custom"})) if up else _NONE
        self.modes = modes
        self.nested = nested
        self.shape = shape
        self.emits_error_part = emits_error_part
        self.sole_consumer = up is None and filter_ is None
        """Whether the own consumer, who gets all that the run makes, is the only one there is."""
        self._filter = filter_
        self._copy_payload = copy_payload or _copied
        self._parent_subscribers = up.subscribers.without(modes & {"custom"}) if up else _NOBODY
        above = self._parent_subscribers.subscribers
        self.subscribers = _subscribers(modes, filter_, above)
        """Who watches this graph."""
        self.subscribers_below = _subscribers(nested, filter_, above)
        """Who watches the graphs below it."""
        self.wanted = modes | self._up_modes
        """The modes anybody wants from this graph."""
        self.wanted_below = nested | self._up_modes
        """The modes anybody wants from graphs below it."""
        self.live = bool(modes & LIVE_MODES or nested)
        """Whether parts for the own consumer may come while a task runs."""

    def is_own(self, part: Part) -> bool:
        """Whether the run's own consumer wants this part."""
        wanted = part.mode in (self.modes if len(part.ns) == self._depth else self.nested)
        return wanted and (self._filter is None or self._filter.part(part))

    def forward(self, part: Part, up: Optional[Put] = None) -> None:
        """Give a part that the run itself made to the run around it, if that wants it.

        Args:
            part: The part.
            up: The way into the run around, if not the usual one.
        """
        if part.mode in self._up_modes and self._parent_subscribers.part(part):
            assert self._up is not None
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
        if self._up is not None and not self.modes and not self.nested:
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
