"""Filters of a consumer: rules about nodes, tags and state keys."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Dict, Optional, Sequence, Tuple

from streamgraph._streams.modes import NODE_MODES
from streamgraph._streams.part import Part

STRUCTURED_KEY = "structured_output"
"""The metadata key with the name of a structured output's schema; it marks the message's tokens as raw JSON."""

Names = Optional[Tuple[str, ...]]


class Filter:
    """The parts that a consumer wants, by node, tag and state key. Names may have shell-style wildcards.

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

    @property
    def rules(self) -> Dict[str, object]:
        """The arguments with which it was made, for another process."""
        rules: Dict[str, object] = {"include_raw": self._raw}
        for name, (include, exclude) in (("nodes", self._nodes), ("tags", self._tags), ("keys", self._keys)):
            rules.update({f"include_{name}": include, f"exclude_{name}": exclude})
        return rules

    def node(self, name: str) -> bool:
        """Return True if parts of this node are wanted."""
        wanted = self._known.get(name)
        if wanted is None:
            wanted = self._known[name] = _passes(self._nodes, (name,))
        return wanted

    def message(self, node: str, tags: Sequence[str], key: Optional[str], raw: bool = False) -> bool:
        """Return True if a message is wanted.

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
        """Return True if the structured output of a model is wanted.

        Args:
            node: The node that calls the model.
            tags: The tags of the model, its node and its run.
        """
        return self.node(node) and _passes(self._tags, tags)

    def part(self, part: Part) -> bool:
        """Return True if a part is wanted."""
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
    """Return True if `name` equals `pattern` or matches its wildcards."""
    # A name may itself look like a pattern.
    return name == pattern or fnmatchcase(name, pattern)
