"""How LangGraph's outcome becomes ours where tasks of the functional API are concerned; see `differences.py`."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Callable

from differential import harness
from differential.harness import Outcome, Setup

_ID = re.compile(r"<id\d+>")


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A chunk without the shape that mode, nesting and version give it."""

    ns: Any
    mode: str
    data: Any


def opened(raw: Any, setup: Setup) -> Chunk:
    """Take a chunk out of its shape."""
    if setup.version == "v2":
        return Chunk(raw["ns"], raw["type"], raw["data"])
    many = isinstance(setup.mode, tuple)
    ns = raw[0] if setup.subgraphs else None
    parts = raw if many or setup.subgraphs else (raw,)
    return Chunk(ns, parts[-2] if many else setup.mode or "updates", parts[-1])


def closed(chunk: Chunk, raw: Any, setup: Setup) -> Any:
    """Put a chunk into the shape that `raw` has."""
    if setup.version == "v2":
        return {**raw, "ns": chunk.ns, "data": chunk.data}
    parts = [*([chunk.ns] if setup.subgraphs else []), *([chunk.mode] if isinstance(setup.mode, tuple) else [])]
    return (*parts, chunk.data) if parts else chunk.data


def renumbered(outcome: Outcome) -> Outcome:
    """Number the ids anew, in the order in which they appear."""
    names: dict[str, str] = {}

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return _ID.sub(lambda found: names.setdefault(found.group(), f"<id{len(names) + 1}>"), value)
        if isinstance(value, dict):
            return {walk(key): walk(item) for key, item in value.items()}
        return type(value)(map(walk, value)) if isinstance(value, (tuple, list)) else value

    return dataclasses.replace(outcome, chunks=tuple(map(walk, outcome.chunks)))


def changed(outcome: Outcome, setup: Setup, change: Callable[[Chunk], Chunk]) -> Outcome:
    """Change every chunk."""
    chunks = tuple(closed(change(opened(raw, setup)), raw, setup) for raw in outcome.chunks)
    return dataclasses.replace(outcome, chunks=chunks)


def custom_of_tasks(theirs: Outcome, ours: Outcome, where: Any) -> Any:
    """Take the tasks out of the namespace of what was written in them; `told` in `programs_func` says how many."""

    def change(chunk: Chunk) -> Chunk:
        in_task = chunk.mode == "custom" and isinstance(chunk.data, dict) and "depth" in chunk.data
        if not in_task or not chunk.ns:
            return chunk
        return dataclasses.replace(chunk, ns=chunk.ns[: -chunk.data["depth"]])

    return renumbered(changed(theirs, where.setup, change)), renumbered(ours)


def _depth(path: Any) -> int:
    """In how many others a task was called, from its `langgraph_path`."""
    return 1 + _depth(path[1]) if path[0] == "__pregel_push" and len(path) == 4 else 0


def messages_of_tasks(theirs: Outcome, ours: Outcome, where: Any) -> Any:
    """Take the tasks out of the namespace of messages, where LangGraph before 1.0 has put them there.

    Without nesting it does not show them at all: they are in its nested run.
    """
    from differential import differences

    if not differences.OLD or "messages" not in where.modes:
        return theirs, ours
    everything = Setup(where.modes, True)
    nested = harness.reference(where.program, everything, asynchronous=False)
    for difference in differences.DIFFERENCES:
        if difference.everywhere:
            nested, _ = difference.adapt(nested, ours, where)

    def change(chunk: Chunk) -> Chunk:
        if chunk.mode != "messages":
            return chunk
        levels = _depth(chunk.data[1]["langgraph_path"])
        return dataclasses.replace(chunk, ns=chunk.ns[:-levels] if levels else chunk.ns)

    shown = []
    for raw in changed(nested, everything, change).chunks:
        chunk = opened(raw, everything)
        if where.setup.subgraphs or chunk.ns == () or chunk.mode == "custom":
            shape = {"type": chunk.mode, **({"interrupts": ()} if chunk.mode == "values" else {})}
            shown.append(closed(chunk, shape, where.setup))
    return renumbered(dataclasses.replace(theirs, chunks=tuple(shown))), renumbered(ours)


def waited_for(theirs: Outcome, ours: Outcome, where: Any) -> Any:
    """Put what the entrypoint `flow` itself did after what its tasks did, and before its value."""

    def rank(raw: Any) -> int:
        chunk = opened(raw, where.setup)
        if chunk.mode == "values":
            return 2
        data = chunk.data.get("payload", chunk.data)
        return int("flow" in data or (data.get("name") == "flow" and "result" in data))

    return renumbered(dataclasses.replace(theirs, chunks=tuple(sorted(theirs.chunks, key=rank)))), renumbered(ours)
