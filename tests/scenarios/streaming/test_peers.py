"""Tools and graphs written for LangGraph work inside our nodes."""

import asyncio
from typing import TypedDict

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from streamgraph.graph import START, StateGraph

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph"),
]


class State(TypedDict):
    text: str


@tool
def look_up(query: str) -> str:
    """Look something up, and say so through LangGraph's writer."""
    from langgraph.config import get_stream_writer

    get_stream_writer()({"looking for": query})
    return "found"


@tool
async def look_up_later(query: str) -> str:
    """Look something up in async code."""
    from langgraph.config import get_stream_writer

    await asyncio.sleep(0)
    get_stream_writer()({"looking for": query})
    return "found"


def one_node(node):
    return StateGraph(State).add_node("node", node).add_edge(START, "node").compile()


async def collected(graph, mode):
    return [chunk async for chunk in graph.astream({"text": "x"}, stream_mode=mode)]


def test_writer_of_langgraph_in_a_tool():
    """LangGraph's own `get_stream_writer` writes to our stream, sync and async."""
    import langgraph.graph  # noqa: F401  (whoever has such tools has loaded it)

    def node(state: State):
        return {"text": look_up.invoke({"query": state["text"]})}

    assert list(one_node(node).stream({"text": "x"}, stream_mode="custom")) == [{"looking for": "x"}]
    assert asyncio.run(collected(one_node(node), "custom")) == [{"looking for": "x"}]


def test_writer_of_langgraph_in_an_async_tool():
    """The same in async tools, on Python 3.9 and 3.10 as well."""
    import langgraph.graph  # noqa: F401

    async def node(state: State):
        return {"text": await look_up_later.ainvoke({"query": state["text"]})}

    assert asyncio.run(collected(one_node(node), "custom")) == [{"looking for": "x"}]
    assert list(one_node(node).stream({"text": "x"}, stream_mode="custom")) == [{"looking for": "x"}]


def test_graph_of_langgraph_as_node():
    """A graph compiled by LangGraph is a Runnable like any other: its result is the update, its tokens stream."""
    from langgraph.graph import StateGraph as Theirs

    def ask(state: State):
        model = GenericFakeChatModel(messages=iter([AIMessage("hello there")]))
        return {"text": model.invoke(state["text"]).content}

    theirs = Theirs(State).add_node("ask", ask).add_edge(START, "ask").compile()
    graph = one_node(theirs)

    tokens = [chunk.content for chunk, _ in graph.stream({"text": "x"}, stream_mode="messages") if chunk.content]
    assert tokens == ["hello", " ", "there"]
    assert graph.invoke({"text": "x"}) == {"text": "hello there"}
    assert list(graph.stream({"text": "x"})) == [{"node": {"text": "hello there"}}]
