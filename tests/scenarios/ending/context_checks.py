"""A graph that leaves marks in its context, and readers that check that theirs stays as it was."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, copy_context
from operator import add
from typing import Any, Dict, List

from typing_extensions import Annotated, TypedDict

from streamgraph.config import get_config, get_stream_writer
from streamgraph.graph import END, START, StateGraph
from support.models import Model

color: ContextVar[str] = ContextVar("color", default="none")

MODES = [["values", "updates"], ["values", "updates", "custom", "messages", "tasks"]]


class State(TypedDict, total=False):
    """The names of the nodes that ran."""

    x: Annotated[list, add]


def who() -> str:
    """Whose run this is."""
    return str(get_config()["configurable"]["who"])


def speak(state: State) -> Dict[str, Any]:
    """Write, ask a model, and leave a mark in the context."""
    color.set("a node's")
    get_stream_writer()(f"sync {who()}")
    return {"x": [Model().invoke("?").content]}


async def aspeak(state: State) -> Dict[str, Any]:
    """Do the same on the loop."""
    color.set("a node's")
    get_stream_writer()(f"async {who()}")
    await asyncio.sleep(0)
    return {"x": [(await Model().ainvoke("?")).content]}


def line(*nodes: Any) -> Any:
    """A graph of these nodes, one after the other; a list of nodes is one step."""
    builder, before = StateGraph(State), [START]
    for step, layer in enumerate(nodes):
        layer = layer if isinstance(layer, list) else [layer]
        names = [f"n{step}{index}" for index in range(len(layer))]
        for name, node in zip(names, layer):
            builder.add_node(name, node)
            for source in before:
                builder.add_edge(source, name)
        before = names
    for source in before:
        builder.add_edge(source, END)
    return builder.compile()


GRAPH = line(speak, aspeak, line(speak, aspeak), [speak, aspeak, line(aspeak)])


def given(name: str = "me", graph: Any = GRAPH, **options: Any) -> Dict[str, Any]:
    """The arguments of a stream."""
    options.setdefault("stream_mode", MODES[1])
    return {"input": {"x": [name]}, "config": {"configurable": {"who": name}}, **options}


def plain(chunks: List[Any]) -> List[str]:
    """The chunks without ids, sorted, since parallel nodes end in no order."""
    shown = []
    for mode, data in chunks:
        if mode == "messages":
            shown.append(f"messages {data[0].content} {data[1]['langgraph_node']}")
        elif mode == "tasks":
            shown.append(f"tasks {data['name']} {data.get('input')} {data.get('result')}")
        else:
            shown.append(f"{mode} {data}")
    return sorted(shown)


def expected(name: str = "me", modes: Any = MODES[1]) -> List[str]:
    """The chunks of a stream that one thread reads on its own."""
    return plain(list(GRAPH.stream(**given(name, stream_mode=modes))))


def context() -> Dict[Any, Any]:
    """The variables of the current context."""
    return dict(copy_context().items())


async def step(stream: Any, chunks: List[Any]) -> bool:
    """Await one item, in a context of its own; the context stays as it is."""
    color.set(f"reader {len(chunks)}")
    before = context()
    try:
        chunks.append(await stream.__anext__())
        return True
    except StopAsyncIteration:
        return False
    finally:
        assert context() == before


def pull(stream: Any, chunks: List[Any]) -> bool:
    """Pull one item; the context stays as it is."""
    color.set(f"reader {len(chunks)}")
    before = context()
    try:
        chunks.append(next(stream))
        return True
    except StopIteration:
        return False
    finally:
        assert context() == before
