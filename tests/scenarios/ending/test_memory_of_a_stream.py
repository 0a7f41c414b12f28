"""A stream keeps nothing that its consumer has dropped: no token, no custom data, no state that is past."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from operator import add
from typing import Any, List

import pytest
from langchain_core.messages import AIMessage
from typing_extensions import Annotated, TypedDict

from scenarios.ending.small_nodes import MODEL, aspeak, speak, write
from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, StateGraph
from streamgraph.graph.message import push_message
from support.value_graphs import graph_of, line_of
from support.waiting import PATIENCE, eventually, run, soon


class Thing:
    """Something that can be watched."""


class Watched:
    """Notes the things that were shown, and tells which of them still live."""

    def __init__(self) -> None:
        self._refs: List[Any] = []

    def see(self, thing: Any) -> None:
        """Keep an eye on something."""
        self._refs.append(weakref.ref(thing))

    def __len__(self) -> int:
        return len(self._refs)

    @property
    def alive(self) -> int:
        """How many of them are still there."""
        gc.collect()
        return sum(ref() is not None for ref in self._refs)


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_custom_data_is_dropped(asynchronous: bool, driver: str) -> None:
    """What a writer is given dies when the consumer drops it, while the node beside it still runs."""
    watched = Watched()
    dropped = threading.Event()

    def node(state: Any) -> None:
        for _ in range(20):
            get_stream_writer()(Thing())

    async def anode(state: Any) -> None:
        for _ in range(20):
            get_stream_writer()(Thing())
            await asyncio.sleep(0)

    def hold(state: Any) -> None:
        assert dropped.wait(PATIENCE)

    graph = graph_of(work=anode if asynchronous else node, hold=hold)

    # The thread of the node may still be on its way back from the last call of its writer.
    def look() -> None:
        if len(watched) == 20:
            eventually(lambda: watched.alive == 0)
            dropped.set()

    async def alook() -> None:
        if len(watched) == 20:
            await soon(lambda: watched.alive == 0)
            dropped.set()

    async def main() -> None:
        async for chunk in graph.astream({"value": "?"}, stream_mode="custom"):
            watched.see(chunk)
            del chunk
            await alook()

    if driver == "stream":
        for chunk in graph.stream({"value": "?"}, stream_mode="custom"):
            watched.see(chunk)
            del chunk
            look()
    else:
        run(main())
    assert dropped.is_set()


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    "modes", [["messages", "custom"], ["messages", "custom", "updates", "values", "tasks", "debug"]]
)
def test_tokens_are_dropped(modes: List[str], asynchronous: bool, driver: str) -> None:
    """When its model has ended, and while the run goes on, no token lives that the consumer has dropped."""
    watched, alive = Watched(), []
    graph = line_of(speak=aspeak if asynchronous else speak, write=write)

    def take(mode: str, data: Any) -> None:
        if mode == "messages":
            watched.see(data[0])
        elif mode == "custom":
            del data
            alive.append((len(watched) > 2, watched.alive))

    async def main() -> None:
        async for mode, data in graph.astream({"value": "?"}, stream_mode=modes):
            take(mode, data)
            del data

    if driver == "stream":
        for mode, data in graph.stream({"value": "?"}, stream_mode=modes):
            take(mode, data)
            del data
    else:
        run(main())
    assert alive == [(True, 0)]


class Holding(TypedDict, total=False):
    """A state with a thing that each node replaces, and messages that are added up."""

    thing: Any
    log: Annotated[list, add]


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("mode", ["values", "updates", "tasks", "debug"])
def test_states_are_dropped(mode: str, driver: str) -> None:
    """Of a value that every step replaces, only the one in the state lives on; the stream holds none of the others."""
    watched = Watched()
    builder, before = StateGraph(Holding), START
    for index in range(10):

        def node(state: Any) -> Any:
            thing = Thing()
            watched.see(thing)
            return {"thing": thing, "log": [1]}

        builder.add_node(f"n{index}", node).add_edge(before, f"n{index}")
        before = f"n{index}"
    graph = builder.add_edge(before, END).compile()

    def dropped() -> bool:
        # Left are the one that is current, and the one that replaces it. A thread that has handed over what its node
        # has returned may take a moment to let go of it.
        return watched.alive <= 2

    async def main() -> None:
        async for chunk in graph.astream({"log": []}, stream_mode=mode):
            del chunk
            await soon(dropped)  # what a thread has handed over waits on the loop

    if driver == "stream":
        for chunk in graph.stream({"log": []}, stream_mode=mode):
            del chunk
            eventually(dropped)
    else:
        run(main())
    assert len(watched) == 10


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("how", ["model", "message", "pushed"])
def test_inputs_are_dropped(how: str, driver: str) -> None:
    """What past nodes were given is gone, though what they said is remembered: a long run does not grow for that."""
    watched = Watched()

    def node(state: Any) -> Any:
        thing = Thing()
        watched.see(thing)
        get_stream_writer()("some")
        if how == "model":
            MODEL.invoke("?")
        elif how == "pushed":
            push_message(AIMessage("hello", id=str(len(watched))), state_key=None)
        return {"thing": thing, "log": [AIMessage("hello")] if how == "message" else []}

    builder = StateGraph(Holding).add_node("node", node).add_edge(START, "node")
    graph = builder.add_conditional_edges("node", lambda state: "node" if len(watched) < 10 else END).compile()

    def dropped() -> bool:
        # Of ten are left: the step that runs, the one before, and what an event loop still holds. A thread may take a
        # moment to let go of what it has handed over.
        return watched.alive <= 3

    async def main() -> None:
        async for mode, _ in graph.astream({"log": []}, stream_mode=["messages", "custom"]):
            if mode == "custom":
                await soon(dropped)

    if driver == "stream":
        for mode, _ in graph.stream({"log": []}, stream_mode=["messages", "custom"]):
            if mode == "custom":
                eventually(dropped)
    else:
        run(main())
    assert len(watched) == 10


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_a_finished_stream_holds_its_output_only(driver: str) -> None:
    """A stream that is kept after its end keeps no chunk, no input of a node and no update."""
    watched = Watched()

    def node(state: Any) -> Any:
        thing = Thing()
        watched.see(thing)
        get_stream_writer()(thing)
        return {"log": [1]}

    graph = StateGraph(Holding).add_node("node", node).add_edge(START, "node").add_edge("node", END).compile()
    stream: Any

    async def main() -> Any:
        stream = graph.astream({"log": [], "thing": None}, stream_mode=["custom", "values", "tasks"])
        async for _ in stream:
            pass
        return stream

    if driver == "stream":
        stream = graph.stream({"log": [], "thing": None}, stream_mode=["custom", "values", "tasks"])
        for _ in stream:
            pass
        del _
    else:
        stream = run(main())
    assert (len(watched), watched.alive) == (1, 0)
    assert stream.output == {"thing": None, "log": [1]}
