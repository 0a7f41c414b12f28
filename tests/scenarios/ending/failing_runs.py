"""Running what fails, with a guard against streams that never end."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple

from streamgraph.config import get_stream_writer
from support.value_graphs import graph_of
from support.waiting import PATIENCE, run

DRIVERS = ("stream", "astream")
LIVE = ["custom", "updates", "tasks", "messages", "values"]


class Stuck(AssertionError):
    """A stream did not end."""


def outcome(
    graph: Any, driver: str, given: Any = None, config: Any = None, **options: Any
) -> Tuple[List[Any], Optional[BaseException]]:
    """The chunks of a run, and what it failed with; the run has to end in time."""
    given = {"value": "?"} if given is None else given
    return (_pull if driver == "stream" else _await)(lambda: getattr(graph, driver)(given, config, **options))


def _pull(start: Callable[[], Any]) -> Tuple[List[Any], Optional[BaseException]]:
    chunks: List[Any] = []
    errors: List[BaseException] = []
    streams: List[Any] = []

    def read() -> None:
        try:
            streams.append(start())
            chunks.extend(streams[0])
        except BaseException as error:
            errors.append(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(PATIENCE)
    if reader.is_alive():
        streams[0].close()
        raise Stuck(f"the stream does not end; so far: {chunks}")
    return chunks, errors[0] if errors else None


def _await(start: Callable[[], Any]) -> Tuple[List[Any], Optional[BaseException]]:
    chunks: List[Any] = []
    errors: List[BaseException] = []

    async def read() -> None:
        try:
            async for chunk in start():
                chunks.append(chunk)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            errors.append(error)

    async def main() -> None:
        reader = asyncio.ensure_future(read())
        done, _ = await asyncio.wait({reader}, timeout=PATIENCE)
        if not done:
            reader.cancel()
            await asyncio.wait({reader}, timeout=PATIENCE)
            raise Stuck(f"the stream does not end; so far: {chunks}")
        await reader

    run(main())
    return chunks, errors[0] if errors else None


def raising(error: BaseException, *, asynchronous: bool, items: int = 3) -> Any:
    """A node that writes some things and fails."""

    def node(state: Any) -> Any:
        writer = get_stream_writer()
        for index in range(items):
            writer(index)
        raise error

    async def anode(state: Any) -> Any:
        writer = get_stream_writer()
        for index in range(items):
            writer(index)
            await asyncio.sleep(0)
        raise error

    return anode if asynchronous else node


def around(node: Any) -> Dict[str, Any]:
    """Graphs in which a node `bad` runs: by itself, beside another, and below others in several ways."""
    inner = graph_of(bad=node)

    def call(state: Any) -> Any:
        return inner.invoke(state)

    async def acall(state: Any) -> Any:
        return await inner.ainvoke(state)

    async def gather(state: Any) -> Any:
        await asyncio.gather(inner.ainvoke(state))

    return {
        "alone": inner,
        "parallel": graph_of(bad=node, good=lambda state: None),
        "as node": graph_of(outer=graph_of(middle=inner)),
        "called": graph_of(outer=graph_of(middle=call)),
        "awaited": graph_of(outer=graph_of(middle=acall)),
        "gathered": graph_of(outer=graph_of(middle=gather)),
    }


LEVELS = {"alone": [], "parallel": []}
"""The names of the nodes around, where they are not `outer` and `middle`."""
