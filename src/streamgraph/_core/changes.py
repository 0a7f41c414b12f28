"""What the steps of a run have changed in its state, key by key, as far as that can be said without comparing."""

from __future__ import annotations

import operator
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from streamgraph._core.channel_objects import Folded
from streamgraph._core.plan import Channel

Writes = Sequence[Tuple[str, object]]


class Appended(NamedTuple):
    """Elements were added to the end of a list.

    Attributes:
        elements: How many.
    """

    elements: int


class Merged(NamedTuple):
    """Keys of a dict were set.

    Attributes:
        keys: The keys.
    """

    keys: Dict[str, None]


Edit = Union[Appended, Merged, None]
"""How a key has changed; `None` if all that is known is that it was written."""


class Changes:
    """The changes of one state since they were last taken.

    Args:
        channels: The channels of the state by key.
    """

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = channels
        self._edits: Dict[str, Edit] = {}
        self._folded: Optional[Tuple[object, List[Tuple[str, Writes]]]] = None
        self._stored: object = None

    def take(self) -> Dict[str, Edit]:
        """Return how the keys that were written have changed, and begin anew."""
        edits, self._edits = self._edits, {}
        return edits

    def folded(self, fresh: object, writes: List[Tuple[str, Writes]]) -> None:
        """Note what the new values of some keys were made of; they may not be stored after all.

        Args:
            fresh: The new values.
            writes: For each task the node's name and its writes.
        """
        self._folded = (fresh, writes)

    def stored(self, fresh: Mapping[str, object], values: Mapping[str, object]) -> None:
        """Note that new values are stored.

        Args:
            fresh: The new values.
            values: The values before.
        """
        folded, self._folded = self._folded, None
        again, self._stored = fresh is self._stored, fresh
        made_here: Dict[str, Edit] = {}
        if folded is not None and folded[0] is fresh:
            for _, pairs in folded[1]:
                for key, value in pairs:
                    made = self._edit(key, value)
                    made_here[key] = _joined(made_here[key], made) if key in made_here else made
        edits = self._edits
        if isinstance(fresh, Folded):
            edits.update(dict.fromkeys((*fresh.objects, *fresh.gone)))
        # Channel objects that hear of the end of the run store the values of the last step once more.
        for key in () if again else fresh:
            made = made_here.get(key) if key in values else None
            edits[key] = _joined(edits[key], made) if key in edits else made

    def _edit(self, key: str, value: object) -> Edit:
        """Return how a write changes a key."""
        channel = self._channels.get(key)
        reduce = None if channel is None else channel.reduce
        if reduce is operator.add and type(value) is list:
            return Appended(len(value))
        if reduce is operator.or_ and type(value) is dict and all(type(name) is str for name in value):
            replaces = "__overwrite__" in value or value.get("type") == "__overwrite__"
            return None if replaces else Merged(dict.fromkeys(value))
        return None


def _joined(first: Edit, second: Edit) -> Edit:
    """Return one change for two that follow each other."""
    if isinstance(first, Appended) and isinstance(second, Appended):
        return Appended(first.elements + second.elements)
    if isinstance(first, Merged) and isinstance(second, Merged):
        return Merged({**first.keys, **second.keys})
    return None
