"""Two branches of a graph write at once, and you watch both: tokens as they arrive, by node and by tag.

    python cookbook/01_hello_stream.py [topic]

Without a key a small server on this machine answers, over real HTTP, through the same `ChatOpenAI`. Set
`OPENAI_API_KEY` (or `OPENAI_BASE_URL`) and the real model does.
"""

import asyncio
import sys
from typing import TypedDict

from streamgraph.graph import START, StateGraph
from streamgraph_integrations.openai import chat_model, is_live

joke_model = chat_model("gpt-4o-mini", tags=["joke"])
poem_model = chat_model("gpt-4o-mini", tags=["poem"])


class State(TypedDict):
    topic: str
    joke: str
    poem: str


def write_joke(state: State):
    return {"joke": joke_model.invoke(f"Write a joke about {state['topic']}").content}


def write_poem(state: State):
    return {"poem": poem_model.invoke(f"Write a short poem about {state['topic']}").content}


graph = (
    StateGraph(State)
    .add_node(write_joke)
    .add_node(write_poem)
    .add_edge(START, "write_joke")
    .add_edge(START, "write_poem")
    .compile()
)


def both_at_once(topic: str) -> None:
    """Print every token under the name of the node it comes from."""
    speaking = None
    with graph.stream({"topic": topic}, stream_mode="messages") as stream:
        for chunk, metadata in stream:
            if metadata["langgraph_node"] != speaking:
                speaking = metadata["langgraph_node"]
                print(f"\n{speaking:>10} | ", end="")
            print(chunk.content, end="", flush=True)
    print(f"\n\n     state | {stream.output}")


def one_node(topic: str) -> None:
    """Print only what the node `write_poem` says."""
    for chunk, metadata in graph.stream({"topic": topic}, stream_mode="messages"):
        if metadata["langgraph_node"] == "write_poem":
            print(chunk.content, end="", flush=True)
    print()


async def one_tag(topic: str) -> None:
    """Print only what the model tagged `joke` says, from async code."""
    async for chunk, metadata in graph.astream({"topic": topic}, stream_mode="messages"):
        if metadata["tags"] == ["joke"]:
            print(chunk.content, end="", flush=True)
    print()


if __name__ == "__main__":
    topic = " ".join(sys.argv[1:]) or "cats"
    print(f"Model: {'the real one' if is_live() else 'the server on this machine'}")
    both_at_once(topic)
    print("\nOnly the node write_poem:\n")
    one_node(topic)
    print("\nOnly the tag joke:\n")
    asyncio.run(one_tag(topic))
