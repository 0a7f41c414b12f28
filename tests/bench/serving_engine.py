"""Our server with LangGraph's engine behind it: `serving.py` starts it in a process of its own.

What differs is only what makes the parts: a task drives `graph.astream` and puts them into a list, which readers read.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from pathlib import Path
from typing import Any, List, Tuple

sys.path.insert(0, str(Path(__file__).parent))

import uvicorn
from serving_graph import graph as peer_graph

import streamgraph.graph
from streamgraph_server import cli, serve

MODES = ["values", "updates", "custom", "messages", "tasks"]


class Reader:
    """One reader of a run: what `RunHandle.astream` returns, as far as the server uses it."""

    def __init__(self, run: Run, modes: List[str]) -> None:
        self._run, self._modes, self._seen = run, set(modes), 0
        self.delay = 0.0

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(self, *error: Any) -> None:
        return None

    def make_tokens(self, maker: Any) -> None:
        """Its parts are whole messages, so nothing can be made of their texts alone."""

    async def numbered(self) -> List[Tuple[int, Any]]:
        """The next parts that it wants, with their numbers."""
        run, modes = self._run, self._modes
        self.delay = 0.0
        while True:
            items, begin = run.items, self._seen
            self._seen = end = min(len(items), begin + 64)
            found = [(place + 1, items[place]) for place in range(begin, end) if items[place]["type"] in modes]
            if found:
                return found
            if begin == end:
                if run.task.done():
                    return []
                waiting = asyncio.get_running_loop().create_future()
                run.waiting.append(waiting)
                await waiting
                self.delay = time.monotonic() - run.woken_at


class Run:
    """A run that a task drives: what `astart` returns, as far as the server uses it."""

    def __init__(self, given: Any, config: Any) -> None:
        self.items: List[Any] = []
        self.waiting: List[Any] = []
        self.status = "running"
        self.woken_at = 0.0
        self.task = asyncio.ensure_future(self._drive(given, config))

    async def _drive(self, given: Any, config: Any) -> None:
        try:
            async for part in peer_graph.astream(given, config, stream_mode=MODES, subgraphs=True, version="v2"):
                self.items.append(part)
                self._wake()
            self.status = "done"
        except BaseException:
            self.status = "failed"
            raise
        finally:
            asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        waiting, self.waiting, self.woken_at = self.waiting, [], time.monotonic()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    @property
    def last_id(self) -> str:
        return f"1-{len(self.items)}"

    def astream(self, modes: List[str], **options: Any) -> Reader:
        return Reader(self, modes)

    async def ajoin(self) -> None:
        await asyncio.wait([self.task])

    async def aresult(self) -> Any:
        return await self.task

    def cancel(self) -> None:
        self.task.cancel()


class Stand:
    """Stands for a graph of ours, and starts runs of LangGraph's."""

    async def astart(self, given: Any, config: Any, **options: Any) -> Run:
        return Run(given, config)


def main() -> None:
    """Serve, as `streamgraph serve` does."""
    own = streamgraph.graph.StateGraph(dict).add_node("speak", lambda state: None).add_edge("__start__", "speak")
    app = serve({"agent": own.compile()})
    app.state.service._unsaved["agent"] = Stand()
    server = cli.GraphServer(uvicorn.Config(app, port=int(sys.argv[1]), log_level="warning"))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*cli._COLLECT_AFTER)
    server.run()


if __name__ == "__main__":
    main()
