"""Formats of chunks: LangGraph's tuples (`v1`) or its typed parts (`v2`)."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Callable, Dict, FrozenSet, Tuple

from typing_extensions import Protocol, runtime_checkable

from streamgraph._interrupts import Interrupt
from streamgraph._reserved import INTERRUPT
from streamgraph._streams.part import Part


@runtime_checkable
class ChunkForm(Protocol):
    """The form of the chunks of a stream, for who reads them without having asked for them.

    Attributes:
        shown: The modes whose chunks the consumer gets.
        several: The modes were given as a list, so chunks of `v1` carry their mode.
        namespace: Chunks of `v1` carry the namespace.
        version: `"v1"` or `"v2"`.
    """

    @property
    def shown(self) -> FrozenSet[str]: ...
    @property
    def several(self) -> bool: ...
    @property
    def namespace(self) -> bool: ...
    @property
    def version(self) -> str: ...


def chunk_format(
    *, version: str, several: bool, namespace: bool, coerce: Callable[[Part], object]
) -> Callable[[Part], Any]:
    """Return the function that makes a chunk of a part.

    Args:
        version: `"v1"` for payloads and tuples, `"v2"` for dicts with `type`, `ns` and `data`.
        several: Modes were given as a list, so chunks of `v1` include their mode.
        namespace: Chunks of `v1` include the namespace.
        coerce: Converts the data of a `values` part of v2 to the type of its schema.
    """
    if version == "v2":

        def typed(part: Part) -> Dict[str, Any]:
            chunk: Dict[str, Any] = {"type": part.mode, "ns": part.ns, "data": part.data}
            if part.mode == "values":
                state, chunk["interrupts"] = split_interrupts(part.data)
                chunk["data"] = coerce(Part(part.ns, part.mode, state) if chunk["interrupts"] else part)
            return chunk

        return typed
    if several:
        return _FULL if namespace else _MODED
    return _SPACED if namespace else data_of


def split_interrupts(shown: object) -> Tuple[object, Tuple[Interrupt, ...]]:
    """Return a state or an output without the questions of its run, and these.

    Args:
        shown: As `v1` shows it: with the questions under `__interrupt__`, if there are any.
    """
    if not isinstance(shown, dict) or INTERRUPT not in shown:
        return shown, ()
    return {key: value for key, value in shown.items() if key != INTERRUPT}, tuple(shown[INTERRUPT])


# Made of no Python code, since they are called for every chunk; with several names they return tuples.
data_of = attrgetter("data")
"""The format of `v1` for one mode without namespaces: the payload alone."""
_MODED = attrgetter("mode", "data")
_SPACED = attrgetter("ns", "data")
_FULL = attrgetter("ns", "mode", "data")
