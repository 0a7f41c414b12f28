"""A server process: `python serving_program.py REDIS_URL PREFIX DATABASE PAUSE ALIVE` prints its port, and serves."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import uvicorn
from langchain_core.messages import AIMessage

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.named import saver_named
from streamgraph.testing import ScriptedModel
from streamgraph_integrations.redis_events import RedisEvents
from streamgraph_server import serve
from streamgraph_server.cli import GraphServer

WORDS = [f"w{number} " for number in range(400)]


def counting(pause: float) -> Any:
    """A graph whose first node says something at once, and the second one counts slowly."""
    model = ScriptedModel([WORDS], cycle=True)

    async def begin(state: MessagesState) -> Any:
        return {"messages": [AIMessage("begun", id="begun")]}

    async def count(state: MessagesState) -> Any:
        said = None
        async for chunk in model.astream("?"):
            said = chunk if said is None else said + chunk
            await asyncio.sleep(pause)
        return {"messages": [said]}

    return StateGraph(MessagesState).add_sequence([begin, count]).add_edge(START, "begin").compile()


def main(redis: str, prefix: str, database: str, pause: str, alive: str) -> None:
    """Serve until the process is ended."""
    events = RedisEvents(redis, prefix=prefix, alive=float(alive))
    saver = saver_named(f"sqlite:{database}")
    app = serve({"agent": counting(float(pause))}, checkpointer=saver, events=events, drain=0.1)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(100)
    print(listening.getsockname()[1], flush=True)
    GraphServer(uvicorn.Config(app, log_level="error")).run([listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
