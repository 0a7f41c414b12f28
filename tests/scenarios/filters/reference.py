"""What a filter means, written down a second time: for a consumer who reads everything and drops what is not wanted."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, Dict, Iterable, List, Tuple

from scenarios.filters.all_modes_graph import FETCHERS, KEYS
from support.parts import Part, normal, passes

OPTIONS = [f"{how}_{what}" for what in ("nodes", "tags", "keys") for how in ("include", "exclude")]

FILTERS: List[Dict[str, Any]] = [
    {"include_nodes": ["talk", "note", "called_deep"]},
    {"include_nodes": "nested"},
    {"include_nodes": ["inner_*", "?e*"]},
    {"include_nodes": []},
    {"exclude_nodes": ("*_talk", "[n-p]*")},
    {"include_nodes": ["*deep*", "look"], "exclude_nodes": ["deep_talk"]},
    {"include_tags": ["po*", "planning"], "exclude_tags": "jok?"},
    {"exclude_tags": ["run"]},
    {"exclude_tags": ["inner", "nowhere at all"]},
    {"include_keys": ["messages"]},
    {"exclude_keys": "n*"},
    {"include_nodes": "*", "exclude_nodes": "[!nt]*", "exclude_tags": ["deep"], "include_keys": ["*"]},
    {"include_nodes": ["n*", "t*", "deep_talk"], "include_tags": ["run"], "exclude_keys": ["notes"]},
]


def collect(graph: Any, given: Any, driver: str, config: Any = None, **options: Any) -> Tuple[List[Any], Any]:
    """All chunks of a run, by either driver, and its output."""
    if driver == "stream":
        stream = graph.stream(given, config, **options)
        return list(stream), stream.output

    async def read() -> Tuple[List[Any], Any]:
        stream = graph.astream(given, config, **options)
        return [chunk async for chunk in stream], stream.output

    loop = asyncio.new_event_loop()  # asyncio.run sets up signal handlers, which would take a third of the time here
    try:
        return loop.run_until_complete(read())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def sources_of(parts: Iterable[Part]) -> List[str]:
    """The node that each part comes from; none for the state."""
    calls: Dict[str, str] = {}
    return [_source(part, calls) for part in parts]


def _source(part: Part, calls: Dict[str, str]) -> str:
    data = part.data
    if part.mode == "messages":
        return data[1]["langgraph_node"]
    if part.mode == "custom":
        return data["from"]
    if part.mode == "updates":
        (name,) = data
        return name
    if part.mode == "tools":
        if data["event"] == "tool-started":
            calls[data["tool_call_id"]] = FETCHERS[data["tool_name"]]
        return calls[data["tool_call_id"]]
    return "" if part.mode == "values" else (data if part.mode == "tasks" else data["payload"])["name"]


def wanted(rules: Dict[str, Any], part: Part, source: str) -> bool:
    """Whether a part is wanted."""
    if part.mode == "values":
        return True
    if part.mode == "messages":
        message, metadata = part.data
        key = KEYS.get(message.content)
        if not passes(rules, "tags", metadata["tags"]) or (key and not passes(rules, "keys", [key])):
            return False
    return passes(rules, "nodes", [source])


def kept(rules: Dict[str, Any], parts: List[Part]) -> List[Part]:
    """What is left of an unfiltered stream."""
    return [part for part, source in zip(parts, sources_of(parts)) if wanted(rules, part, source)]


def by_source(parts: List[Part]) -> Dict[Tuple[str, str], List[Any]]:
    """The parts of each node in their order, whatever runs beside it; messages with the number of their id."""
    ordered: Dict[Tuple[str, str], List[Any]] = defaultdict(list)
    ids: Dict[Tuple[str, str], Dict[Any, int]] = defaultdict(dict)
    for part, name in zip(parts, sources_of(parts)):
        source = (repr(normal(part.ns)), name)
        number = None
        if part.mode == "messages":
            number = ids[source].setdefault(part.data[0].id, len(ids[source]))
        ordered[source].append((part.mode, repr(normal(part.data)), number))
    return ordered
