"""A part: the unit of a stream, from where it is made to where it becomes a chunk."""

from __future__ import annotations

from typing import Any, Optional, Tuple


class Part:
    """Something made while a task runs: a token, custom data, or a part of a nested graph.

    Args:
        ns: The namespace of the graph it was made in.
        mode: The stream mode it belongs to.
        data: The payload.
        source: The node it comes from, if it comes from one.
        key: The state key that a message was written to.
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
