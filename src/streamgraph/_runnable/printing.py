"""Printing of parts, for `print_mode` and `debug`."""

from __future__ import annotations

import sys
from typing import Callable, FrozenSet

from streamgraph._streams.modes import SIGNAL_MODES
from streamgraph._streams.part import Part
from streamgraph._streams.router import NO_CHUNK

Shape = Callable[[Part], object]


def printing(shape: Shape, *, shown: FrozenSet[str], printed: FrozenSet[str]) -> Shape:
    """Return a wrapper of `shape` that also prints parts.

    Args:
        shape: Formats a part as a chunk.
        shown: The modes whose chunks the consumer gets.
        printed: The modes whose parts are printed: the mode, the namespace of a nested graph, and the payload.
    """
    yielded = shown | SIGNAL_MODES

    def shape_and_print(part: Part) -> object:
        if part.mode in printed:
            mode = f"[{part.mode}]"
            graph = f"[graph={'|'.join(part.ns)}] " if part.ns else ""
            print(f"\033[1m{mode}\033[0m" if sys.stdout.isatty() else mode, f"{graph}{part.data!r}")
        return shape(part) if part.mode in yielded else NO_CHUNK

    return shape_and_print
