"""Formats of chunks: LangGraph's tuples (`v1`) or its typed parts (`v2`)."""

from __future__ import annotations

from typing import Any, Callable, Dict

from streamgraph._streams.part import Part


def chunk_format(
    *, version: str, several: bool, namespace: bool, coerce: Callable[[Part], Any]
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
                chunk["data"] = coerce(part)
                chunk["interrupts"] = ()
            return chunk

        return typed
    if several:
        return _full if namespace else _moded
    return _spaced if namespace else _bare


def _bare(part: Part) -> Any:
    return part.data


def _moded(part: Part) -> Any:
    return part.mode, part.data


def _spaced(part: Part) -> Any:
    return part.ns, part.data


def _full(part: Part) -> Any:
    return part.ns, part.mode, part.data
