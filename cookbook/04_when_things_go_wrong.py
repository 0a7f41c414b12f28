"""Nodes that fail, hang or cost money: retries, time limits, error handlers and a cache.

    python cookbook/04_when_things_go_wrong.py

Without a key a small server on this machine answers, and the first answer breaks off in the middle: the connection
really drops. Set `OPENAI_API_KEY` (or `OPENAI_BASE_URL`) and the real model answers.
"""

import asyncio
from typing import TypedDict

from streamgraph.cache.memory import InMemoryCache
from streamgraph.errors import NodeError
from streamgraph.graph import END, START, StateGraph
from streamgraph.types import CachePolicy, Command, RetryPolicy
from streamgraph_integrations.openai import chat_model
from streamgraph_integrations.openai_server import Reply

model = chat_model(
    reply=[Reply("Cats are not late, they are", fail_after=3), Reply("Cats are not late, they are expected.")],
    max_retries=0,
)


class State(TypedDict, total=False):
    topic: str
    slogan: str
    rating: int
    note: str


def write(state: State):
    return {"slogan": model.invoke(f"A slogan about {state['topic']}").content}


async def rate(state: State):
    await asyncio.sleep(60)  # a service that hangs today
    return {"rating": 5}


def unrated(state: State, error: NodeError):
    return Command(update={"note": f"{error.node} gave up: {type(error.error).__name__}"}, goto="publish")


def publish(state: State):
    return {"note": f"{state.get('note', 'rated')}; published"}


graph = (
    StateGraph(State)
    .add_node(write, retry_policy=RetryPolicy(initial_interval=0.1, retry_on=Exception), cache_policy=CachePolicy())
    .add_node(rate, timeout=0.2, error_handler=unrated)
    .add_node(publish)
    .add_edge(START, "write")
    .add_edge("write", "rate")
    .add_edge("rate", "publish")
    .add_edge("publish", END)
    .compile(cache=InMemoryCache())
)

if __name__ == "__main__":
    for attempt in ("first run", "second run"):
        print(f"{attempt}:")
        for mode, data in graph.stream({"topic": "cats"}, stream_mode=["messages", "updates"]):
            print("  token " if mode == "messages" else "  update", data[0].content if mode == "messages" else data)
