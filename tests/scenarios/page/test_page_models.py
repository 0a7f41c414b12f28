"""The examples of the streaming page on models that do not stream, and on async code before Python 3.11."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from scenarios.page.common import (
    achunks,
    assert_streamed,
    chunks,
    graph_of,
    items_graph,
    langgraph_fails,
    needs_context_in_async_runs,
    texts,
)
from scenarios.page.common import pytestmark as pytestmark
from scenarios.page.runner import engine
from scenarios.page.servers import JOKE, PLAIN

# Models that do not stream


def assert_one_finished_message(model: Any, returned: Any) -> None:
    """In `messages` a model that does not stream is one `AIMessage`, whatever the node returns, sync and async."""
    graph = engine()

    class Answer(graph.MessagesState, total=False):
        text: str

    def ask(state: Any) -> Any:
        return returned(model.invoke(state["messages"]))

    async def aask(state: Any, config: RunnableConfig) -> Any:
        return returned(await model.ainvoke(state["messages"], config))

    inputs = {"messages": [HumanMessage("Say something.")]}
    found = chunks(graph_of(ask, state=Answer), inputs, stream_mode="messages")
    afound = achunks(graph_of(aask, state=Answer), inputs, stream_mode="messages")

    for messages, node in ((found, "ask"), (afound, "aask")):
        ((message, metadata),) = messages
        assert type(message) is AIMessage
        assert message.content == PLAIN
        assert metadata["langgraph_node"] == node


RETURNS = pytest.mark.parametrize(
    "returned",
    [
        pytest.param(lambda message: {"messages": [message]}, id="message"),
        pytest.param(lambda message: {"text": message.content}, id="text"),
    ],
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The model 'claude-sonnet-4-5' is deprecated:DeprecationWarning")
@RETURNS
def test_20_no_streaming_init_chat_model(run_example, anthropic_server, returned):
    """Claude with `disable_streaming=True` is not asked to stream, and its answer arrives once and whole."""
    model = run_example("20_no_streaming_init_chat_model")["model"]

    assert_one_finished_message(model, returned)

    assert [body["model"] for body in anthropic_server.bodies] == ["claude-sonnet-4-5"] * 2
    assert not any(body.get("stream") for body in anthropic_server.bodies)


@RETURNS
def test_21_no_streaming_chat_openai(run_example, openai_server, returned):
    """`ChatOpenAI` with `disable_streaming=True` is not asked to stream, and its answer arrives once and whole."""
    model = run_example("21_no_streaming_chat_openai")["model"]

    assert_one_finished_message(model, returned)

    assert [request.body["model"] for request in openai_server.requests] == ["o1-preview"] * 2
    assert not any(request.streamed or request.body.get("stream") for request in openai_server.requests)


# Async below Python 3.11


def test_22_async_config(run_example, openai_server):
    """The config passed by hand to `ainvoke` streams the tokens, below Python 3.11 too."""
    run = run_example("22_async_config")

    assert_streamed(run.tokens, JOKE)
    assert run.output == "生成笑话...\n" + "".join(token + "|" for token in run.tokens)
    assert [request.streamed for request in openai_server.requests] == [True]


@needs_context_in_async_runs
def test_23_async_writer(run_example):
    """A parameter `writer: StreamWriter` of an async node is filled in."""
    graph = engine()

    run = run_example("23_async_writer", StateGraph=graph.StateGraph, START=graph.START)

    assert run.lines == ["{'custom_key': '生成笑话时流式传输自定义数据'}"]


@langgraph_fails("`stream` can't run async nodes, and `astream` loses the context", (TypeError, RuntimeError))
def test_stream_runs_the_async_examples(run_example, openai_server):
    """Graphs of the page whose nodes are coroutines give `stream` the chunks they give `astream`."""
    graph = engine()
    tokens = run_example("22_async_config")
    items = run_example("19_any_llm_full_run", graph=items_graph(run_example))
    writer = run_example("23_async_writer", StateGraph=graph.StateGraph, START=graph.START)

    topic = {"topic": "ice cream"}
    assert texts(chunks(tokens["graph"], topic, stream_mode="messages")) == tokens.tokens
    found = chunks(items["graph"], items["inputs"], stream_mode="custom")
    assert [chunk["content"] for chunk in found] == items.tokens
    assert chunks(writer["graph"], topic, stream_mode="custom") == writer.printed
