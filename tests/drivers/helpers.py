"""Bounded waits, an event loop that takes note of complaints, and nodes that would run forever."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any, Callable, Coroutine, Dict, List, Set

from typing_extensions import TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, StateGraph
from streamgraph_integrations.openai_server import OpenAIServer, Reply

PATIENCE = 5  # seconds until a wait that should end at once counts as failed

ENDLESS = Reply("word " * 20000, delay=0.001)
"""An answer that takes longer than any test waits."""


class State(TypedDict, total=False):
    """A state with something in it."""

    value: str


def eventually(condition: Callable[[], Any]) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


async def soon(condition: Callable[[], Any]) -> None:
    """Wait on the loop until `condition` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Like `asyncio.run`, and no task may be left in the end, nor may the loop have had to complain."""
    complaints: List[Any] = []

    async def watched() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        result = await main
        gc.collect()
        await soon(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        return result

    result = asyncio.run(watched())
    gc.collect()
    assert complaints == []
    return result


def threads() -> Set[threading.Thread]:
    """The threads of runs; those of test servers are not."""
    return {
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("streamgraph") and not thread.name.startswith("streamgraph-testing")
    }


def graph_of(**nodes: Any) -> Any:
    """A graph that runs all nodes in one step."""
    builder = StateGraph(State)
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(START, name)
        builder.add_edge(name, END)
    return builder.compile()


def line_of(**nodes: Any) -> Any:
    """A graph that runs the nodes one after the other."""
    builder = StateGraph(State)
    before = START
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(before, name)
        before = name
    return builder.compile()


class Forever:
    """Async nodes that announce themselves and then wait until they are cancelled; `log` is what became of them."""

    def __init__(self) -> None:
        self.log: List[str] = []
        self.started = threading.Event()

    async def node(self, state: State) -> State:
        """Wait until cancelled."""
        get_stream_writer()("started")
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise
        finally:
            try:
                await asyncio.sleep(0)  # cleaning up may take the loop a moment
            finally:
                self.log.append("finally")
        return {}

    def graphs(self) -> Dict[str, Any]:
        """Graphs in which the node runs: by itself, beside others, below others."""
        inner = graph_of(inner=self.node)

        async def call(state: State) -> State:
            return await inner.ainvoke(state)

        return {
            "alone": graph_of(work=self.node),
            "parallel": graph_of(work=self.node, idle=lambda state: None, other=self.node),
            "graph as node": graph_of(outer=inner),
            "graph in node": graph_of(outer=call),
            "graph in graph": graph_of(outer=graph_of(middle=call, other=self.node)),
        }

    def is_over(self) -> bool:
        """Whether all that started has been cancelled and has cleaned up."""
        return self.log.count("cancelled") == self.log.count("finally") > 0


PLACES = list(Forever().graphs())


def stopped_request(server: OpenAIServer) -> Any:
    """The one request of a server, which its client has left before the end."""
    (request,) = server.requests
    assert request.wait(PATIENCE)
    assert request.disconnected
    assert request.chunks_sent < 20000
    return request
