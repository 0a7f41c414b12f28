"""Chunks of a graph that is a step of a chain."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

_NOT_YET = object()


class UpdatesChunk(dict):  # type: ignore[type-arg]
    """A chunk of the `updates` mode that can be added to others, as LangChain requires.

    The next step of a chain gets the sum of the chunks, which must equal the result of `invoke`. The last chunk is
    therefore empty and carries the final state. (LangGraph passes on the last update instead.)

    Args:
        update: The update of a node.
        output: The final state, in the last chunk.
    """

    def __init__(self, update: Mapping[str, object] = {}, *, output: object = _NOT_YET) -> None:
        super().__init__(update)
        self._output = output

    def __add__(self, other: object) -> Any:
        if not isinstance(other, UpdatesChunk):
            return NotImplemented
        return other if other._output is _NOT_YET else other._output


def added_up(chunks: Sequence[Any]) -> Any:
    """Return the sum of the previous step's chunks; a chunk that cannot be added replaces the sum."""
    total = chunks[0]
    for chunk in chunks[1:]:
        try:
            total = total + chunk
        except TypeError:
            total = chunk
    return total
