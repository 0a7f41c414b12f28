"""Chunks of any shape taken apart, without what differs from run to run, and what a filter's rules say of names."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import Any, Dict, Iterable, List, NamedTuple

from langchain_core.messages import BaseMessage


class Part(NamedTuple):
    """A chunk in whatever shape, taken apart; `ns` is None where the shape has none."""

    ns: Any
    mode: str
    data: Any


def parts_of(chunks: Iterable[Any], modes: Any, subgraphs: Any, version: str) -> List[Part]:
    """Take chunks apart."""
    several = not isinstance(modes, str)
    parts = []
    for chunk in chunks:
        if version == "v2":
            parts.append(Part(chunk["ns"], chunk["type"], chunk["data"]))
        elif several:
            parts.append(Part(chunk[0] if subgraphs else None, chunk[-2], chunk[-1]))
        else:
            parts.append(Part(chunk[0], modes, chunk[1]) if subgraphs else Part(None, modes, chunk))
    return parts


def passes(rules: Dict[str, Any], what: str, names: Iterable[str]) -> bool:
    """Whether things that go by these names are wanted: none of them is excluded, and some are included if any are."""
    names = list(names)
    found = {}
    for how in ("include", "exclude"):
        patterns = rules.get(f"{how}_{what}")
        patterns = [patterns] if isinstance(patterns, str) else patterns
        found[how] = patterns and any(re.fullmatch(translate(pattern), name) for pattern in patterns for name in names)
    return not found["exclude"] and (rules.get(f"include_{what}") is None or bool(found["include"]))


def normal(value: Any) -> Any:
    """A value without what differs from run to run: times, and ids that stand for tasks and runs."""
    if isinstance(value, BaseMessage):
        tools = getattr(value, "tool_calls", None)
        usage = getattr(value, "usage_metadata", None)
        return (type(value).__name__, value.content, value.name, repr(tools), repr(usage))
    if isinstance(value, dict):
        return {key: "TIME" if key == "timestamp" else normal(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(normal(item) for item in value)
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", value) if isinstance(value, str) else value
