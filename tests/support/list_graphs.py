"""Small graphs in a line, over a state with a list that grows, and what they stream by both drivers."""

from __future__ import annotations

import asyncio
from operator import add
from typing import Any, Dict, List, Sequence

from langchain_core.messages import AIMessageChunk
from typing_extensions import Annotated, TypedDict

from streamgraph import END, START, MessagesState, StateGraph


class State(TypedDict, total=False):
    """A list that grows and two plain keys."""

    x: Annotated[list, add]
    p: Any
    q: Any


def line(*nodes: Any, schema: Any = State, **options: Any) -> Any:
    """A compiled graph with these nodes, or pairs of a name and a node, one after the other."""
    builder = StateGraph(schema, **options)
    previous = START
    for index, item in enumerate(nodes):
        name, action = item if isinstance(item, tuple) else (f"n{index}", item)
        builder.add_node(name, action).add_edge(previous, name)
        previous = name
    return builder.add_edge(previous, END).compile()


def chat(*nodes: Any, schema: Any = MessagesState, **options: Any) -> Any:
    """A compiled graph over messages with these nodes in a line."""
    return line(*nodes, schema=schema, **options)


def both(graph: Any, given: Any, config: Any = None, **options: Any) -> List[Any]:
    """The chunks of a graph, after making sure that `stream` and `astream` give the same ones."""
    synchronous = list(graph.stream(given, config, **options))
    asynchronous = collected(graph, given, config, **options)
    assert synchronous == asynchronous
    return synchronous


def collected(graph: Any, given: Any, config: Any = None, **options: Any) -> List[Any]:
    """The chunks of `astream`."""

    async def collect() -> List[Any]:
        return [chunk async for chunk in graph.astream(given, config, **options)]

    return asyncio.run(collect())


def drivers(graph: Any, given: Any, config: Any = None, **options: Any) -> Dict[str, List[Any]]:
    """The chunks of `stream` and of `astream`, for payloads that carry fresh ids."""
    return {
        "stream": list(graph.stream(given, config, **options)),
        "astream": collected(graph, given, config, **options),
    }


def texts(chunks: Sequence[Any]) -> List[str]:
    """The contents of the messages of a `messages` stream, the empty last chunks of langchain-core left out."""
    return [message.content for message, _ in chunks if message.content or not isinstance(message, AIMessageChunk)]
