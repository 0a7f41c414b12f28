"""All ways to run a graph to its end."""

from __future__ import annotations

from typing import Any, Callable, Dict

from support.waiting import run


def _stream(graph: Any, given: Any, config: Any) -> None:
    for _ in graph.stream(given, config, stream_mode=["updates", "messages"]):
        pass


def _start(graph: Any, given: Any, config: Any) -> None:
    graph.start(given, config, record=["updates", "messages"]).result()


async def _astream(graph: Any, given: Any, config: Any) -> None:
    async for _ in graph.astream(given, config, stream_mode=["updates", "messages"]):
        pass


async def _astart(graph: Any, given: Any, config: Any) -> None:
    await (await graph.astart(given, config, record=["updates", "messages"])).aresult()


DRIVERS: Dict[str, Callable[[Any, Any, Any], Any]] = {
    "invoke": lambda graph, given, config: graph.invoke(given, config),
    "stream": _stream,
    "start": _start,
    "ainvoke": lambda graph, given, config: run(graph.ainvoke(given, config)),
    "astream": lambda graph, given, config: run(_astream(graph, given, config)),
    "astart": lambda graph, given, config: run(_astart(graph, given, config)),
}
"""Each runs a graph, given its input and config."""

STREAMING = ("stream", "start", "astream", "astart")
"""Those that want tokens, so that models are streamed."""
