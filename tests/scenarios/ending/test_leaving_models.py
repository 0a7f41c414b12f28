"""A model that speaks three graphs deep falls silent when its consumer leaves: the provider sees the client go."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, Callable, Dict

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI

from scenarios.ending import ways_to_leave
from scenarios.ending.nested_graphs import Births, as_node, awaited, called, tasks, three_deep
from streamgraph.config import get_stream_writer
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import create_react_agent
from streamgraph_integrations.openai_server import OpenAIServer
from support.endless import ENDLESS, stopped_request
from support.value_graphs import graph_of
from support.waiting import PATIENCE, eventually, run, soon


def speaks(model: Any, call: str) -> Any:
    """A node that asks the model."""

    def node(state: Any) -> Any:
        if call == "invoke":
            return {"value": model.invoke("?").content}
        return {"value": "".join(chunk.content for chunk in model.stream("?"))}

    async def anode(state: Any) -> Any:
        if call == "ainvoke":
            return {"value": (await model.ainvoke("?")).content}
        return {"value": "".join([chunk.content async for chunk in model.astream("?")])}

    return anode if call.startswith("a") else node


WAITING = 0.05
"""Seconds after which a client that has got a chunk waits for the next one."""

LEVELS = [as_node, awaited, called]
CALLS = ["invoke", "stream", "ainvoke", "astream"]
OPTIONS = {"stream_mode": "messages", "version": "v2"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("leave", [ways_to_leave.aclose, ways_to_leave.cancel, ways_to_leave.drop_async])
def test_async_stream(model: Any, endless: Any, leave: Callable[..., Any], call: str) -> None:
    """An async stream that is left or dropped ends the request, and starts no task of its own for that."""
    for level in LEVELS:
        graph = three_deep(speaks(model, call), level)

        async def main() -> None:
            births, before = Births(), tasks()
            if leave in ways_to_leave.ASYNC_WAYS:
                await leave(graph.astream({"value": "?"}, **OPTIONS), births)
            else:
                await leave([graph.astream({"value": "?"}, **OPTIONS)], births)
            await soon(lambda: tasks() <= before)
            assert births.ours == [], level

        run(main())
        stopped_request(endless.fresh())


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("leave", [ways_to_leave.close, ways_to_leave.close_while_pulling, ways_to_leave.drop])
def test_sync_stream(model: Any, endless: Any, leave: Callable[..., Any], call: str) -> None:
    """A sync stream that is left or dropped ends the request, be the model in a thread or on the private loop."""
    for level in LEVELS:
        graph = three_deep(speaks(model, call), level)
        if leave in ways_to_leave.SYNC_WAYS:
            leave(graph.stream({"value": "?"}, **OPTIONS), lambda: None)
        else:
            leave([graph.stream({"value": "?"}, **OPTIONS)], lambda: None)
        stopped_request(endless.fresh())


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("mode", ["updates", "custom"])
def test_without_tokens(mode: str, driver: str) -> None:
    """A model on a loop is stopped whatever was asked for, tokens or none, while it thinks about its next word.

    It is left when it waits: before Python 3.12 `asyncio.wait_for`, in which langchain-openai waits for a chunk, loses
    a cancellation that comes together with the chunk (CPython gh-86296).
    """
    thinking, left = threading.Event(), threading.Event()

    def think(request: Any, index: int) -> None:
        if index == 3:
            thinking.set()
            assert left.wait(PATIENCE)

    def first(state: Any) -> Any:
        get_stream_writer()("first")
        return {"value": "first"}

    async def main(graph: Any) -> None:
        births, before = Births(), tasks()
        stream = graph.astream({"value": "?"}, stream_mode=mode)
        await stream.__anext__()
        await soon(thinking.is_set)
        await asyncio.sleep(WAITING)
        births.leaving()
        await stream.aclose()
        assert births.ours == []
        await soon(lambda: tasks() <= before)

    with OpenAIServer(ENDLESS, on_chunk=think) as server:
        model = ChatOpenAI(model="gpt-4o-mini", api_key="test-key", base_url=server.base_url, max_retries=0)
        graph = graph_of(first=first, outer=three_deep(speaks(model, "astream"), awaited))
        if driver == "stream":
            with graph.stream({"value": "?"}, stream_mode=mode) as stream:
                next(stream)
                eventually(thinking.is_set)
                time.sleep(WAITING)
        else:
            run(main(graph))
        left.set()
        stopped_request(server)


def shapes(model: Any) -> Dict[str, Any]:
    """Other places in which a model speaks."""
    agent = create_react_agent(model, [])

    async def several(state: Any) -> Any:
        await asyncio.gather(*(model.ainvoke("?") for _ in range(3)))

    return {
        "chain": graph_of(work=RunnableLambda(lambda state: {"question": "?"}) | PROMPT | model | to_state),
        "agent": graph_of(work=lambda state: {"value": agent.invoke({"messages": ["?"]})["messages"][-1].content}),
        "agent as node": StateGraph(MessagesState).add_node("work", agent).add_edge(START, "work").compile(),
        "several": graph_of(work=several),
    }


PROMPT = ChatPromptTemplate.from_messages([("user", "{question}")])
to_state = RunnableLambda(lambda message: {"value": message.content})


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("shape", ["chain", "agent", "agent as node", "several"])
def test_shapes(model: Any, endless: Any, shape: str, driver: str) -> None:
    """A model in a chain, in an agent, or beside others, is stopped as any other."""
    graph = shapes(model)[shape]
    given = {"messages": ["?"]} if shape == "agent as node" else {"value": "?"}

    async def main() -> None:
        births, before = Births(), tasks()
        async with graph.astream(given, stream_mode="messages") as stream:
            async for _ in stream:
                if len(endless.requests) == (3 if shape == "several" else 1):
                    births.leaving()
                    break
        assert births.ours == []
        await soon(lambda: tasks() <= before)

    if driver == "stream":
        with graph.stream(given, stream_mode="messages") as stream:
            for _ in stream:
                if len(endless.requests) == (3 if shape == "several" else 1):
                    break
    else:
        run(main())
    for request in endless.requests:
        assert request.wait(PATIENCE)
        assert request.disconnected


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_only_what_was_left_is_stopped(model: Any, endless: Any, driver: str) -> None:
    """Another run of the same graph with the same model goes on."""
    graph = three_deep(speaks(model, "ainvoke"), awaited)

    async def main() -> None:
        streams = [graph.astream({"value": "?"}, **OPTIONS) for _ in range(2)]
        for stream in streams:
            await ways_to_leave.auntil_started(stream)
        await soon(lambda: len(endless.requests) == 2)
        await streams[0].aclose()
        await soon(lambda: [request.disconnected for request in endless.requests].count(True) == 1)
        (other,) = (request for request in endless.requests if not request.disconnected)
        sent = other.chunks_sent
        await soon(lambda: other.chunks_sent > sent)
        await streams[1].aclose()

    if driver == "stream":
        streams = [graph.stream({"value": "?"}, **OPTIONS) for _ in range(2)]
        for stream in streams:
            ways_to_leave.until_started(stream)
        eventually(lambda: len(endless.requests) == 2)
        streams[0].close()
        eventually(lambda: [request.disconnected for request in endless.requests].count(True) == 1)
        (other,) = (request for request in endless.requests if not request.disconnected)
        sent = other.chunks_sent
        eventually(lambda: other.chunks_sent > sent)
        streams[1].close()
    else:
        run(main())
    eventually(lambda: all(request.disconnected for request in endless.requests))
