"""Nodes and answers of a model that do not end by themselves."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Dict, List

from streamgraph.config import get_stream_writer
from streamgraph_integrations.openai_server import OpenAIServer, Reply
from support.value_graphs import State, graph_of
from support.waiting import PATIENCE

ENDLESS = Reply("word " * 20000, delay=0.001)
"""An answer that takes longer than any test waits."""


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
