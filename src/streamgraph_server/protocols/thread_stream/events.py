"""The events of the thread stream, before they have a number."""

from __future__ import annotations

from typing import Mapping, NamedTuple, Optional, Tuple

Namespace = Tuple[str, ...]


class Event(NamedTuple):
    """One event of a run.

    Attributes:
        method: What it is about, such as `messages` or `lifecycle`.
        ns: The namespace of the graph that it belongs to.
        data: What it says.
        node: The node that it comes from; `None` if it comes from none.
        tags: Of events of `messages`, the tags of the model.
    """

    method: str
    ns: Namespace
    data: Mapping[str, object]
    node: Optional[str] = None
    tags: Tuple[str, ...] = ()

    @property
    def channel(self) -> str:
        """The channel that clients have to ask for to get it."""
        if self.method in ("input.requested", "input.answered"):
            return "input"
        if self.method == "custom" and "name" in self.data:
            return f"custom:{self.data['name']}"
        return self.method


GAP = "gap"
"""The method of what stands for events that are not kept any more; every client gets it."""
