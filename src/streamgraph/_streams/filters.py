"""Who watches a graph, and what of it each of them wants to see."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple

from streamgraph._streams.modes import NODE_MODES
from streamgraph._streams.part import Part

STRUCTURED_KEY = "structured_output"
"""The metadata key with the name of the schema that a model answers in; it says that its tokens are raw JSON."""

Names = Optional[Tuple[str, ...]]


class Filter:
    """What a consumer wants to see, by node, tag and state key. Names may have shell-style wildcards.

    Args:
        include_nodes: Only these nodes; `None` for all.
        exclude_nodes: Not these nodes.
        include_tags: Only messages of models with one of these tags; `None` for all.
        exclude_tags: No messages of models with one of these tags.
        include_keys: Of the messages that nodes write to the state, only those of these keys; `None` for all.
        exclude_keys: No messages that nodes write to these keys.
        include_raw: Also the messages of models that answer with structured output.
    """

    __slots__ = ("_keys", "_known", "_nodes", "_raw", "_tags")

    def __init__(
        self,
        *,
        include_nodes: Names = None,
        exclude_nodes: Names = None,
        include_tags: Names = None,
        exclude_tags: Names = None,
        include_keys: Names = None,
        exclude_keys: Names = None,
        include_raw: bool = True,
    ) -> None:
        self._nodes = (include_nodes, exclude_nodes or ())
        self._tags = (include_tags, exclude_tags or ())
        self._keys = (include_keys, exclude_keys or ())
        self._raw = include_raw
        self._known: Dict[str, bool] = {}

    def node(self, name: str) -> bool:
        """Whether parts of this node are wanted."""
        wanted = self._known.get(name)
        if wanted is None:
            wanted = self._known[name] = _passes(self._nodes, (name,))
        return wanted

    def message(self, node: str, tags: Sequence[str], key: Optional[str], raw: bool = False) -> bool:
        """Whether a message is wanted.

        Args:
            node: The node it comes from.
            tags: The tags of its model, its node and its run.
            key: The state key that a node has written it to; `None` for the tokens of a model.
            raw: It is the raw JSON of structured output.
        """
        return (
            self.node(node)
            and (self._raw or not raw)
            and _passes(self._tags, tags)
            and (key is None or _passes(self._keys, (key,)))
        )

    def structured(self, node: str, tags: Sequence[str]) -> bool:
        """Whether the structured output of a model is wanted.

        Args:
            node: The node that calls the model.
            tags: The tags of the model, its node and its run.
        """
        return self.node(node) and _passes(self._tags, tags)

    def part(self, part: Part) -> bool:
        """Whether a part is wanted."""
        if part.source is None or part.mode not in NODE_MODES:
            return True
        if part.mode == "messages":
            metadata = part.data[1]
            return self.message(part.source, metadata["tags"], part.key, STRUCTURED_KEY in metadata)
        if part.mode == "objects":
            return self.structured(part.source, part.data[1]["tags"])
        return self.node(part.source)


def _passes(rule: Tuple[Names, Tuple[str, ...]], names: Sequence[str]) -> bool:
    include, exclude = rule
    if any(fits(name, pattern) for pattern in exclude for name in names):
        return False
    return include is None or any(fits(name, pattern) for pattern in include for name in names)


def fits(name: str, pattern: str) -> bool:
    """Whether a name is meant by one that may have wildcards."""
    # A name may itself look like a pattern.
    return name == pattern or fnmatchcase(name, pattern)


Subscriber = Tuple[FrozenSet[str], Optional[Filter]]
"""The modes that somebody wants, and the filter if there is one."""


class Subscribers:
    """All who watch the parts of one graph: its own consumer, and those of the runs around it.

    Args:
        subscribers: For each the modes that it wants, and its filter if it has one.

    Attributes:
        subscribers: The same.
        modes: The modes that anybody wants.
        filtered: Whether anybody leaves something out.
    """

    __slots__ = ("_by_node", "filtered", "modes", "subscribers")

    def __init__(self, subscribers: Sequence[Subscriber]) -> None:
        self.subscribers: List[Subscriber] = []
        self.modes: FrozenSet[str] = frozenset()
        self.filtered = False
        for modes, filter_ in subscribers:
            if modes:
                self.subscribers.append((modes, filter_))
                self.modes |= modes
                self.filtered = self.filtered or filter_ is not None
        self._by_node: Dict[str, FrozenSet[str]] = {}

    def without(self, modes: FrozenSet[str]) -> Subscribers:
        """Return who is left, and with which modes, when some modes are taken from them."""
        return Subscribers([(wanted - modes, filter_) for wanted, filter_ in self.subscribers]) if modes else self

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
        return not self.filtered or any(
            part.mode in modes and (filter_ is None or filter_.part(part)) for modes, filter_ in self.subscribers
        )

    def message(self, node: str, tags: Sequence[Any], key: Optional[str], raw: bool = False) -> bool:
        """Whether anybody wants this message; see `Filter.message`."""
        return any(
            "messages" in modes and (filter_ is None or filter_.message(node, tags, key, raw))
            for modes, filter_ in self.subscribers
        )

    def structured(self, node: str, tags: Sequence[Any]) -> bool:
        """Whether anybody wants this structured output; see `Filter.structured`."""
        return any(
            "objects" in modes and (filter_ is None or filter_.structured(node, tags))
            for modes, filter_ in self.subscribers
        )
