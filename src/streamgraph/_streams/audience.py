"""Who wants a part: the one place that decides it, for the consumer of a run and for those of the runs around it."""

from __future__ import annotations

from functools import lru_cache
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

from streamgraph._streams.filters import Filter
from streamgraph._streams.modes import LISTENING_MODES, LIVE_MODES, MODEL_MODES, NEAREST_MODES, NODE_MODES
from streamgraph._streams.part import Part


class Subscriber(NamedTuple):
    """A consumer, as far as one graph is concerned.

    Attributes:
        modes: The modes that it wants.
        filter: What it leaves out, if anything.
    """

    modes: FrozenSet[str]
    filter: Optional[Filter] = None


class Subscribers:
    """All who watch the parts of one graph: its own consumer, and those of the runs around it.

    Args:
        subscribers: The consumers; those that want no mode are dropped.

    Attributes:
        subscribers: The others.
        modes: The modes that anybody wants.
        filtered: Whether anybody leaves something out.
    """

    __slots__ = ("_by_node", "filtered", "modes", "subscribers")

    def __init__(self, subscribers: Sequence[Subscriber]) -> None:
        self.subscribers: List[Subscriber] = []
        self.modes: FrozenSet[str] = frozenset()
        self.filtered = False
        for subscriber in subscribers:
            if subscriber.modes:
                self.subscribers.append(subscriber)
                self.modes |= subscriber.modes
                self.filtered = self.filtered or subscriber.filter is not None
        self._by_node: Dict[str, FrozenSet[str]] = {}

    def without(self, modes: FrozenSet[str]) -> Subscribers:
        """Return the subscribers with these modes taken from each."""
        if not modes:
            return self
        return Subscribers([Subscriber(wanted - modes, filter_) for wanted, filter_ in self.subscribers])

    def modes_of(self, node: str) -> FrozenSet[str]:
        """Return the modes in which anybody wants to see this node."""
        if not self.filtered:
            return self.modes
        found = self._by_node.get(node)
        if found is None:
            wanted = [
                modes if filter_ is None or filter_.node(node) else modes - NODE_MODES
                for modes, filter_ in self.subscribers
            ]
            found = self._by_node[node] = frozenset().union(*wanted)
        return found

    def part(self, part: Part) -> bool:
        """Whether anybody wants this part."""
        if not self.filtered:
            return part.mode in self.modes
        return any(
            part.mode in modes and (filter_ is None or filter_.part(part)) for modes, filter_ in self.subscribers
        )

    def message(self, node: str, tags: Sequence[str], key: Optional[str], raw: bool = False) -> bool:
        """Whether anybody wants this message; see `Filter.message`."""
        if not self.filtered:
            return "messages" in self.modes
        return any(
            "messages" in modes and (filter_ is None or filter_.message(node, tags, key, raw))
            for modes, filter_ in self.subscribers
        )

    def structured(self, node: str, tags: Sequence[str]) -> bool:
        """Whether anybody wants this structured output; see `Filter.structured`."""
        if not self.filtered:
            return "objects" in self.modes
        return any(
            "objects" in modes and (filter_ is None or filter_.structured(node, tags))
            for modes, filter_ in self.subscribers
        )


@lru_cache(maxsize=256)
def unfiltered(modes: FrozenSet[str]) -> Subscribers:
    """Return one subscriber that wants these modes and leaves nothing out. It never changes, so runs share it."""
    return Subscribers((Subscriber(modes),))


NOBODY = Subscribers(())


class Audience:
    """All who watch one run and the graphs that are nested in it.

    Args:
        ns: The namespace of the run's graph.
        modes: The modes that its own consumer wants.
        nested: The modes that its own consumer wants from graphs below.
        filter_: What its own consumer leaves out.
        above: Who wants what is nested in the task that the run is called in; `None` for a run of its own.

    Attributes:
        here: Who watches the run's own graph.
        below: Who watches the graphs below it.
        above: Who of the runs around gets what is made here.
        sole: Whether the own consumer gets all that is made, and nobody else gets anything.
        read: Whether there is an own consumer that wants anything.
        live: Whether parts for the own consumer may come while a task runs.
    """

    __slots__ = ("_depth", "_filter", "_modes", "_nested", "above", "below", "here", "live", "read", "sole")

    def __init__(
        self,
        ns: Tuple[str, ...],
        modes: FrozenSet[str],
        nested: FrozenSet[str],
        filter_: Optional[Filter] = None,
        above: Optional[Subscribers] = None,
    ) -> None:
        self._depth = len(ns)
        self._modes = modes
        self._nested = nested
        self._filter = filter_
        self.sole = above is None and filter_ is None
        self.read = bool(modes or nested)
        self.live = bool(modes & LIVE_MODES or nested)
        # What is for the nearest consumer goes no further: that may well pass it on by hand.
        self.above = NOBODY if above is None else above.without(modes & NEAREST_MODES)
        if self.above.subscribers or filter_ is not None:
            self.here = Subscribers((Subscriber(modes, filter_), *self.above.subscribers))
            self.below = Subscribers((Subscriber(nested, filter_), *self.above.subscribers))
        else:
            self.here = unfiltered(modes)
            self.below = unfiltered(nested)

    def is_own(self, part: Part) -> bool:
        """Whether the own consumer wants a part."""
        wanted = part.mode in (self._modes if len(part.ns) == self._depth else self._nested)
        return wanted and (self._filter is None or self._filter.part(part))

    @property
    def listens(self) -> bool:
        """Whether anybody wants to know what models or tools of the graph do."""
        return not self.here.modes.isdisjoint(LISTENING_MODES)

    @property
    def hears_models(self) -> bool:
        """Whether anybody wants to know what models of the graph say."""
        return not self.here.modes.isdisjoint(MODEL_MODES)

    @property
    def tracks_messages(self) -> bool:
        """Whether it matters which messages were shown, here or below."""
        return self.hears_models or not self.below.modes.isdisjoint(MODEL_MODES)
