"""A reader of a started run gets what `stream` gives with the same options."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List

import pytest

from support.talking import GIVEN, plain, talking

EVERY = ["values", "patches", "updates", "custom", "messages", "tools", "tasks", "debug", "objects", "checkpoints"]
OPTIONS: List[Dict[str, Any]] = [
    *({"stream_mode": mode} for mode in EVERY if mode != "debug"),
    {},
    {"stream_mode": ["messages", "updates"]},
    {"stream_mode": ["values", "custom", "tasks"], "subgraphs": True},
    {"stream_mode": ["values", "updates", "custom"], "subgraphs": False},
    {"stream_mode": ["messages"], "version": "v2"},
    {"stream_mode": ["values", "messages"], "version": "v2", "subgraphs": True},
    {"stream_mode": "messages", "include_tags": "loud"},
    {"stream_mode": ["messages", "custom", "updates"], "exclude_nodes": ["speak", "write"]},
    {"stream_mode": ["messages"], "include_nodes": "end", "exclude_keys": ["messages"]},
    {"stream_mode": "values", "subgraphs": True},
]


def ids(options: Dict[str, Any]) -> str:
    """The options in a test's name."""
    return ",".join(f"{key}={value}" for key, value in options.items()) or "default"


@pytest.mark.parametrize("options", OPTIONS, ids=ids)
@pytest.mark.parametrize("starter", ["start", "astart"])
def test_every_reader_gets_what_the_stream_gives(starter: str, options: Dict[str, Any]) -> None:
    """Sync and async, on the loop of the run, on another loop, in another thread; while it runs and after it."""
    graph = talking(asynchronous=starter == "astart")

    async def awaited(run: Any) -> List[Any]:
        return [chunk async for chunk in run.astream(**options)]

    def in_thread(run: Any) -> List[Any]:
        return list(run.stream(**options))

    async def everywhere() -> List[List[Any]]:
        loop = asyncio.get_running_loop()
        run = graph.start(GIVEN, record=EVERY) if starter == "start" else await graph.astart(GIVEN, record=EVERY)
        here = asyncio.gather(awaited(run), awaited(run))
        elsewhere = loop.run_in_executor(None, lambda: asyncio.run(awaited(run)))
        thread = loop.run_in_executor(None, in_thread, run)
        read = [*(await here), await elsewhere, await thread]
        assert await run == (await run.aresult())
        return [*read, await awaited(run), in_thread(run)]

    expected = [plain(chunk) for chunk in graph.stream(GIVEN, **options)]
    for chunks in asyncio.run(everywhere()):
        assert [plain(chunk) for chunk in chunks] == expected


def test_each_reader_owns_its_chunks() -> None:
    """What one reader does to its chunks is not visible to another, in the state, or in the result."""
    run = talking().start(GIVEN)
    expected = [plain(chunk) for chunk in run.stream(["values", "updates", "messages"])]
    for mode, chunk in run.stream(["values", "updates", "messages"]):
        if mode == "messages":
            chunk[0].content = "changed"
            chunk[0].response_metadata["changed"] = True
            chunk[1]["tags"].append("changed")
            chunk[1]["changed"] = True
        elif mode == "values":
            chunk["messages"].clear()
        else:
            chunk.clear()
    result = run.result()
    assert [plain(chunk) for chunk in run.stream(["values", "updates", "messages"])] == expected
    assert len(result["messages"]) == 4
    result["messages"].clear()
    assert len(run.result()["messages"]) == 4
