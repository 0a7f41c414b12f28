"""The examples of the streaming page on custom data and clients of one's own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool

from scenarios.page.common import (
    PROGRESS,
    State,
    achunks,
    assert_streamed,
    graph_of,
    items_graph,
    needs_context_in_async_runs,
)
from scenarios.page.common import pytestmark as pytestmark
from scenarios.page.runner import engine
from scenarios.page.servers import ITEMS

# Custom data


@needs_context_in_async_runs
def test_15_writer_in_node(run_example):
    """What a node gives to the writer is the chunk, in sync and async runs."""
    run = run_example("15_writer_in_node")

    assert run.lines == ["{'custom_key': '在节点内生成自定义数据'}"]
    assert achunks(run["graph"], run["inputs"], stream_mode="custom") == run.printed


def tool_graph(namespace: Any) -> Any:
    """The graph that the reader is to define: a node that uses the tool."""
    query_database = namespace["query_database"]

    def look_up(state: State) -> State:
        return {"answer": query_database.invoke({"query": state["topic"]})}

    return graph_of(look_up)


@needs_context_in_async_runs
def test_16_writer_in_tool(run_example):
    """A tool called in a node writes to the stream of the graph, in sync and async runs."""
    inputs = {"topic": "cats"}

    run = run_example("16_writer_in_tool", fill={"graph": tool_graph}, inputs=inputs)

    assert run.printed == PROGRESS
    assert achunks(run["graph"], inputs, stream_mode="custom") == PROGRESS
    assert run["graph"].invoke(inputs) == {**inputs, "answer": "一些答案"}


@pytest.mark.parametrize("passes_config", [True, pytest.param(False, marks=needs_context_in_async_runs)])
def test_16_writer_in_tool_of_an_async_node(run_example, passes_config):
    """The tool of the page writes from an async node as well, with and without config passed by hand."""
    inputs = {"topic": "cats"}
    query_database = run_example("16_writer_in_tool", fill={"graph": tool_graph}, inputs=inputs)["query_database"]

    async def look_up(state: State, config: RunnableConfig) -> State:
        more = [config] if passes_config else []
        return {"answer": await query_database.ainvoke({"query": state["topic"]}, *more)}

    assert achunks(graph_of(look_up), inputs, stream_mode="custom") == PROGRESS


@needs_context_in_async_runs
def test_16_writer_in_an_async_tool():
    """A tool that is a coroutine gets the writer too, on any Python."""

    @tool
    async def query_database(query: str) -> str:
        """Query the database."""
        writer = engine("config").get_stream_writer()
        writer(PROGRESS[0])
        await asyncio.sleep(0)
        writer(PROGRESS[1])
        return query

    async def look_up(state: State) -> State:
        return {"answer": await query_database.ainvoke({"query": state["topic"]})}

    assert achunks(graph_of(look_up), {"topic": "cats"}, stream_mode="custom") == PROGRESS


def test_16_writer_in_tool_called_for_a_message(run_example):
    """The tool writes when a node calls it for a message with tool calls."""
    graph = engine()
    call = {"name": "query_database", "args": {"query": "cats"}, "id": "1", "type": "tool_call"}
    inputs = {"messages": [AIMessage("", tool_calls=[call])]}

    def build(namespace: Any) -> Any:
        def tools(state: Any) -> Any:
            return {"messages": [namespace["query_database"].invoke(item) for item in state["messages"][-1].tool_calls]}

        builder = graph.StateGraph(graph.MessagesState).add_node("tools", tools)
        return builder.add_edge(graph.START, "tools").compile()

    run = run_example("16_writer_in_tool", fill={"graph": build}, inputs=inputs)

    assert run.printed == PROGRESS
    final = run["graph"].invoke(inputs)["messages"][-1]
    assert isinstance(final, ToolMessage)
    assert final.content == "一些答案"


# Any LLM


@needs_context_in_async_runs
def test_17_any_llm(run_example):
    """A client of the reader's own streams through the writer."""
    graph = engine()

    def builder(state: Any) -> Any:
        # The page leaves the first edge to the reader, and compiles all the same.
        return graph.StateGraph(state).add_edge(graph.START, "call_arbitrary_model")

    def client(topic: str) -> Any:
        yield from ("tokens", "about", topic)

    run = run_example("17_any_llm", StateGraph=builder, State=State, your_custom_streaming_client=client)

    assert run.printed == [{"custom_llm_chunk": word} for word in ("tokens", "about", "cats")]
    assert achunks(run["graph"], {"topic": "cats"}, stream_mode="custom") == run.printed


def test_18_any_llm_full(run_example, openai_server):
    """The block defines the graph and asks nobody yet."""
    graph = items_graph(run_example)

    assert "call_tool" in graph.get_graph().nodes
    assert openai_server.requests == []


@needs_context_in_async_runs
def test_19_any_llm_full_run(run_example, openai_server):
    """`AsyncOpenAI` in a tool in an async node: every token is printed, on any Python."""
    graph = items_graph(run_example)

    run = run_example("19_any_llm_full_run", graph=graph)

    assert_streamed(run.tokens, ITEMS)
    assert run["chunk"]["role"] == "assistant"
    assert [(request.streamed, request.body["model"]) for request in openai_server.requests] == [(True, "gpt-4o-mini")]
    final = asyncio.run(graph.ainvoke(run["inputs"]))["messages"]
    assert final[-1] == {"tool_call_id": "1", "role": "tool", "name": "get_items", "content": ITEMS}
