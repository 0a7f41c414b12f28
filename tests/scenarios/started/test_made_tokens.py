"""A reader that has its tokens made of their texts gets the same events in the same order."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List, Optional

import pytest

from streamgraph.runs import MemoryLog
from support.talking import GIVEN, talking
from support.waiting import run

MODES = ["messages", "custom", "updates"]


def as_text(part: Any) -> Any:
    """What is compared of a part: of a token its text, its node and its namespace."""
    if isinstance(part, tuple):
        return part
    if part["type"] != "messages":
        return part["type"]
    message, metadata = part["data"]
    return (message.content, metadata["langgraph_node"], part["ns"])


async def both(log: Any = None, after: Optional[int] = None, **options: Any) -> List[List[Any]]:
    """What two readers get, of which the second has its tokens made; the run goes on meanwhile."""
    handle = await talking(asynchronous=True).astart(GIVEN, record=MODES, log=log or MemoryLog())
    samples: List[Any] = []

    def maker(part: Any) -> Any:
        assert part["type"] == "messages" and part["data"][0].content == ""
        samples.append(part)
        node, ns = part["data"][1]["langgraph_node"], part["ns"]
        return lambda text: (text, node, ns)

    async def read(makes: bool) -> List[Any]:
        found = []
        async with handle.astream(MODES, version="v2", **options) as reader:
            if makes:
                reader.make_tokens(maker)
            while True:
                batch = await reader.numbered()
                if not batch:
                    return [(number, as_text(part)) for number, part in found]
                found.extend(batch)

    plain, made, late = *await asyncio.gather(read(False), read(True)), await read(True)
    return [plain, made, late, samples]


@pytest.mark.parametrize(
    "options",
    [{}, {"subgraphs": True}, {"subgraphs": False}, {"exclude_nodes": "speak"}, {"include_tags": ["loud"]}],
    ids=str,
)
def test_the_same_events(options: Dict[str, Any]) -> None:
    plain, made, late, samples = run(both(**options))
    assert plain == made == late
    assert any(type(part) is tuple and part[0] for _, part in plain)
    assert len(samples) <= 2 * 4  # for each reader, and each message, its tokens and its last chunk


@pytest.mark.parametrize("overflow", ["drop_oldest", "coalesce", "block"])
def test_with_a_buffer(overflow: str) -> None:
    plain, made, late, _ = run(both(max_buffer=100, overflow=overflow))
    assert plain == made == late


def test_none_leaves_them_as_they_are() -> None:
    async def read() -> List[Any]:
        handle = await talking(asynchronous=True).astart(GIVEN, record=MODES)
        found = []
        async with handle.astream("messages", version="v2") as reader:
            reader.make_tokens(lambda part: None)
            async for part in reader:
                found.append(as_text(part)[0])
        return found

    assert "".join(run(read())) == "quiet wordsLOUD WORDS!the end"
