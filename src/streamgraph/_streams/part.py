"""The unit of a stream, from where it is made to where it becomes a chunk."""

from __future__ import annotations

from typing import Any, Optional, Tuple


class Part:
    """One unit of a stream: a token, custom data, a state, an update, or a task event.

    Args:
        ns: The namespace of the graph in which it was made.
        mode: Its stream mode.
        data: The payload.
        source: The node it comes from; `None` if it does not come from a node.
        key: The state key that a message was written to; `None` for other parts.
    """

    __slots__ = ("data", "key", "mode", "ns", "source")

    def __init__(
        self, ns: Tuple[str, ...], mode: str, data: Any, source: Optional[str] = None, key: Optional[str] = None
    ) -> None:
        self.ns = ns
        self.mode = mode
        self.data = data
        self.source = source
        self.key = key
