"""The subscribers of a run, and the only code that decides which of them get a part."""

from __future__ import annotations

from functools import lru_cache
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

from streamgraph._streams.filters import Filter
from streamgraph._streams.modes import LISTENING_MODES, LIVE_MODES, MODEL_MODES, NEAREST_MODES, NODE_MODES
from streamgraph._streams.part import Part


class Subscriber(NamedTuple):
    """A consumer's modes and filter for one graph.

    Attributes:
        modes: The modes that it wants.
        filter: Leaves out some of their parts; `None` to leave out nothing.
    """

    modes: FrozenSet[str]
    filter: Optional[Filter] = None


class Subscribers:
    """The subscribers of one graph: its own consumer, and those of the parent runs.

    Args:
        subscribers: The subscribers; those that want no mode are dropped.

    Attributes:
        subscribers: The subscribers that want a mode.
        modes: The modes that at least one subscriber wants.
        filtered: True if a subscriber has a filter.
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
        """Return the subscribers without these modes."""
        if not modes:
            return self
        return Subscribers([Subscriber(wanted - modes, filter_) for wanted, filter_ in self.subscribers])

    def modes_of(self, node: str) -> FrozenSet[str]:
        """Return the modes in which at least one subscriber wants parts of this node."""
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
        """Return True if a subscriber wants this part."""
        if not self.filtered:
            return part.mode in self.modes
        return any(
            part.mode in modes and (filter_ is None or filter_.part(part)) for modes, filter_ in self.subscribers
        )

    def message(self, node: str, tags: Sequence[str], key: Optional[str], raw: bool = False) -> bool:
        """Return True if a subscriber wants this message; see `Filter.message`."""
        if not self.filtered:
            return "messages" in self.modes
        return any(
            "messages" in modes and (filter_ is None or filter_.message(node, tags, key, raw))
            for modes, filter_ in self.subscribers
        )

    def structured(self, node: str, tags: Sequence[str]) -> bool:
        """Return True if a subscriber wants this structured output; see `Filter.structured`."""
        if not self.filtered:
            return "objects" in self.modes
        return any(
            "objects" in modes and (filter_ is None or filter_.structured(node, tags))
            for modes, filter_ in self.subscribers
        )


@lru_cache(maxsize=256)
def unfiltered(modes: FrozenSet[str]) -> Subscribers:
    """Return a single subscriber of these modes, without a filter; immutable, so runs share it."""
    return Subscribers((Subscriber(modes),))


NOBODY = Subscribers(())


class RunSubscribers:
    """The subscribers of one run and of the graphs that are nested in it.

    Args:
        ns: The namespace of the run's graph.
        modes: The modes that the run's own consumer wants.
        nested: The modes that it wants from nested graphs.
        filter_: Its filter.
        above: The subscribers to graphs nested in the task in which the run was started; `None` for a root run.

    Attributes:
        here: The subscribers of the run's own graph.
        below: The subscribers of the nested graphs.
        above: The subscribers among the parent runs that get parts of this run.
        sole: True if the own consumer gets every part and there is no other subscriber.
        read: True if the own consumer wants any mode.
        live: True if the own consumer may get parts while a task runs.
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
        # Parts of these modes go to the nearest consumer only, which may forward them itself.
        self.above = NOBODY if above is None else above.without(modes & NEAREST_MODES)
        if self.above.subscribers or filter_ is not None:
            self.here = Subscribers((Subscriber(modes, filter_), *self.above.subscribers))
            self.below = Subscribers((Subscriber(nested, filter_), *self.above.subscribers))
        else:
            self.here = unfiltered(modes)
            self.below = unfiltered(nested)

    def is_own(self, part: Part) -> bool:
        """Return True if the own consumer wants this part."""
        wanted = part.mode in (self._modes if len(part.ns) == self._depth else self._nested)
        return wanted and (self._filter is None or self._filter.part(part))

    @property
    def listens(self) -> bool:
        """True if a subscriber wants parts made from callbacks of models or tools."""
        return not self.here.modes.isdisjoint(LISTENING_MODES)

    @property
    def hears_models(self) -> bool:
        """True if a subscriber wants parts made from callbacks of models."""
        return not self.here.modes.isdisjoint(MODEL_MODES)

    @property
    def tracks_messages(self) -> bool:
        """True if streamed messages must be tracked, for this graph or nested ones."""
        return self.hears_models or not self.below.modes.isdisjoint(MODEL_MODES)
