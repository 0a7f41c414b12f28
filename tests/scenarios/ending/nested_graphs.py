"""Graphs in graphs in graphs, nodes that wait in them, and a count of the tasks that are born."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Dict, List, Set

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.tools import tool

from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode
from streamgraph.runtime import get_runtime
from support.value_graphs import State, graph_of

MOMENT = threading.Event()
"""Never set: what a node waits for between two looks at its runtime."""


_NO_CODE = compile("", "a generator's end", "exec")


class Births:
    """Counts the asyncio tasks that come into being once `leaving` was called."""

    def __init__(self) -> None:
        self.born: List[Any] = []
        self._leaving = False
        asyncio.get_running_loop().set_task_factory(self._make)

    def leaving(self) -> None:
        """From now on no task is to be born."""
        self._leaving = True

    def _make(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        if self._leaving:
            self.born.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    @property
    def ours(self) -> List[Any]:
        """Those that this package has started; a model's client may start some of its own."""
        return [one for one in self.born if "/streamgraph/" in getattr(one, "cr_code", _NO_CODE).co_filename]


class Blocked:
    """Nodes that wait forever, in four ways; `log` is what became of them."""

    def __init__(self) -> None:
        self.log: List[str] = []
        self.started = threading.Event()

    async def awaits(self, state: State) -> State:
        """Wait on the loop."""
        self._begin()
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await asyncio.sleep(0)
            finally:
                self.log.append("finally")
        return {}

    async def shields(self, state: State) -> State:
        """Wait for a task that has to be cancelled by hand, as careful nodes do."""
        self._begin()
        waiting = asyncio.ensure_future(asyncio.Event().wait())
        try:
            await asyncio.shield(waiting)
        finally:
            waiting.cancel()
            try:
                await asyncio.wait([waiting])
            finally:
                self.log.append("finally")
        return {}

    def polls(self, state: State) -> State:
        """Look at the runtime from time to time."""
        runtime = get_runtime()
        self._begin()
        try:
            while not runtime.stopped:
                MOMENT.wait(0.001)
        finally:
            self.log.append("finally")
        return {}

    def writes(self, state: State) -> State:
        """Write again and again."""
        writer = get_stream_writer()
        self._begin()
        try:
            while True:
                writer("more")
                MOMENT.wait(0.001)
        finally:
            self.log.append("finally")

    def _begin(self) -> None:
        self.log.append("begun")
        get_stream_writer()("started")
        self.started.set()

    def is_over(self) -> bool:
        """Whether all that began has run its `finally`."""
        return self.log.count("begun") == self.log.count("finally") > 0


ASYNC_NODES = ["awaits", "shields"]
SYNC_NODES = ["polls", "writes"]


def awaited(graph: Any) -> Any:
    """A node that awaits a graph."""

    async def node(state: State) -> State:
        return await graph.ainvoke(state)

    return node


def streamed(graph: Any) -> Any:
    """A node that reads the stream of a graph, and passes on what it reads."""

    async def node(state: State) -> None:
        writer = get_stream_writer()
        async for chunk in graph.astream(state, stream_mode="custom"):
            writer(chunk)

    return node


def gathered(graph: Any) -> Any:
    """A node that awaits a graph beside something else."""

    async def node(state: State) -> None:
        await asyncio.gather(graph.ainvoke(state), asyncio.sleep(0))

    return node


def threaded(graph: Any) -> Any:
    """An async node that calls a graph in a thread."""

    async def node(state: State) -> State:
        return await asyncio.to_thread(graph.invoke, state)

    return node


def called(graph: Any) -> Any:
    """A sync node that calls a graph."""

    def node(state: State) -> State:
        return graph.invoke(state)

    return node


def pulled(graph: Any) -> Any:
    """A sync node that reads the stream of a graph, and passes on what it reads."""

    def node(state: State) -> None:
        writer = get_stream_writer()
        for chunk in graph.stream(state, stream_mode="custom"):
            writer(chunk)

    return node


def ran(graph: Any) -> Any:
    """A sync node that runs a graph on an event loop of its own."""

    def node(state: State) -> State:
        return asyncio.run(graph.ainvoke(state))

    return node


def in_tool(graph: Any) -> Any:
    """A graph of a tool node whose tool awaits a graph."""

    @tool
    async def look(value: str) -> str:
        """Look something up."""
        await graph.ainvoke({"value": value})
        return value

    def ask(state: Any) -> Any:
        return {"messages": [AIMessage("", tool_calls=[{"name": "look", "args": {"value": "?"}, "id": "1"}])]}

    builder = StateGraph(MessagesState).add_node("ask", ask).add_node("tools", ToolNode([look]))
    inner = builder.add_edge(START, "ask").add_edge("ask", "tools").add_edge("tools", END).compile()

    async def node(state: State) -> None:
        await inner.ainvoke({"messages": []})

    return node


def as_node(graph: Any) -> Any:
    """The graph itself is the node."""
    return graph


ASYNC_LEVELS: List[Callable[[Any], Any]] = [as_node, awaited, streamed, gathered, in_tool]
THREAD_LEVELS: List[Callable[[Any], Any]] = [called, pulled, threaded]


def three_deep(node: Any, level: Callable[[Any], Any]) -> Any:
    """A graph of a graph of a graph of a node, each put into the next in the same manner."""
    graph = graph_of(inner=node)
    for name in ("middle", "outer"):
        graph = graph_of(**{name: level(graph)})
    return graph


def tasks() -> Set[Any]:
    """The tasks of the running loop, without this one."""
    return asyncio.all_tasks() - {asyncio.current_task()}


def options_of(mode: str) -> Dict[str, Any]:
    """A stream in which the first chunk says that the inner node runs: of one mode, or of all."""
    if mode == "all":
        modes = ["custom", "messages", "updates", "values", "tasks"]
        return {"stream_mode": modes, "subgraphs": True, "version": "v2"}
    return {"stream_mode": mode}


def says_started(chunk: Any) -> bool:
    """Whether this chunk says that the inner node runs: the first one that it writes, or a token."""
    if not isinstance(chunk, dict):
        return bool(chunk == "started")
    data = chunk["data"]
    return bool(data == "started" or (chunk["type"] == "messages" and isinstance(data[0], AIMessageChunk)))
