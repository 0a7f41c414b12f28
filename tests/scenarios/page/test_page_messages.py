"""The examples of the streaming page on tokens, and how to filter them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig

from scenarios.page.common import (
    State,
    achunks,
    assert_streamed,
    graph_of,
    items_graph,
    langgraph_fails,
    needs_context_in_async_runs,
    texts,
)
from scenarios.page.common import pytestmark as pytestmark
from scenarios.page.servers import ITEMS, JOKE, PLAIN, POEM, answer

# Tokens


@needs_context_in_async_runs
def test_10_messages(run_example, openai_server):
    """`model.invoke` in a node is streamed: each token is printed on its own, in sync and async runs."""
    run = run_example("10_messages")

    assert_streamed(run.tokens, JOKE)
    assert run.output == "".join(token + "|" for token in run.tokens)
    assert run["metadata"]["langgraph_node"] == "call_model"
    assert run["metadata"]["langgraph_step"] == 1
    assert [request.streamed for request in openai_server.requests] == [True]
    assert texts(achunks(run["graph"], {"topic": "ice cream"}, stream_mode="messages")) == run.tokens


def tagged_graph(namespace: Any, *, config: bool, untagged: Any = None) -> Any:
    """The graph that the reader is to define: the two models of the example in two nodes of one step."""
    joker, poet = namespace["model_1"], namespace["model_2"]

    async def ask(model: Any, question: str, config_: RunnableConfig) -> str:
        return (await (model.ainvoke(question, config_) if config else model.ainvoke(question))).content

    async def write_joke(state: State, config: RunnableConfig) -> State:
        return {"joke": await ask(joker, f"a joke about {state['topic']}", config)}

    async def write_poem(state: State, config: RunnableConfig) -> State:
        return {"poem": await ask(poet, f"a poem about {state['topic']}", config)}

    async def think(state: State, config: RunnableConfig) -> State:
        return {"answer": await ask(untagged, "anything", config)}

    return graph_of(write_joke, write_poem, *([think] if untagged else []))


def test_11_tags(run_example, openai_server):
    """Filtering by `metadata["tags"]` leaves the tokens of the model with that tag, config passed by hand."""
    run = run_example("11_tags", fill={"graph": lambda names: tagged_graph(names, config=True)})

    assert_streamed(run.tokens, JOKE)
    messages = achunks(run["graph"], {"topic": "cats"}, stream_mode="messages")
    assert texts(messages, tags=["joke"]) == run.tokens
    assert_streamed(texts(messages, tags=["poem"]), POEM)
    assert len(openai_server.requests) == 4


@needs_context_in_async_runs
def test_11_tags_without_config(run_example, openai_server):
    """The same filter needs no config passed by hand, on any Python."""
    run = run_example("11_tags", fill={"graph": lambda names: tagged_graph(names, config=False)})

    assert_streamed(run.tokens, JOKE)


@langgraph_fails('an untagged model has no metadata["tags"]', KeyError)
def test_11_tags_next_to_an_untagged_model(run_example, openai_server):
    """The filter of the page survives a model that has no tags at all: its `tags` are an empty list."""
    from langchain_openai import ChatOpenAI

    def build(names: Any) -> Any:
        return tagged_graph(names, config=True, untagged=ChatOpenAI(model="gpt-4o-mini"))

    run = run_example("11_tags", fill={"graph": build})

    assert_streamed(run.tokens, JOKE)
    assert_streamed(texts(achunks(run["graph"], {"topic": "cats"}, stream_mode="messages"), tags=[]), PLAIN)


def test_12_tags_full(run_example, openai_server):
    """Two tagged models in one node: the joke is printed token by token, the poem not at all."""
    run = run_example("12_tags_full")

    assert_streamed(run.tokens, JOKE)
    assert run.output.startswith("Writing joke...\n")
    assert "\n\nWriting poem...\n" in run.output
    assert [request.streamed for request in openai_server.requests] == [True, True]
    final = asyncio.run(run["graph"].ainvoke({"topic": "cats"}))
    assert final == {"topic": "cats", "joke": JOKE, "poem": POEM}


@needs_context_in_async_runs
def test_13_nodes(run_example, openai_server):
    """The reader's code is reached for the tokens of the node asked for and for no other."""
    model = run_example("14_nodes_full")["model"]

    def some_node_name(state: State) -> State:
        return {"joke": model.invoke(f"a joke about {state['topic']}").content}

    def other_node(state: State) -> State:
        return {"poem": model.invoke(f"a poem about {state['topic']}").content}

    graph = graph_of(some_node_name, other_node)

    run = run_example("13_nodes", graph=graph, inputs={"topic": "cats"})

    tokens = [names["msg"].content for names in run.reached]
    assert_streamed(tokens, JOKE)
    assert {names["metadata"]["langgraph_node"] for names in run.reached} == {"some_node_name"}
    messages = achunks(graph, {"topic": "cats"}, stream_mode="messages")
    assert texts(messages, langgraph_node="some_node_name") == tokens
    assert_streamed(texts(messages, langgraph_node="other_node"), POEM)


@needs_context_in_async_runs
def test_14_nodes_full(run_example, serve_openai):
    """The two nodes ask the model at the same time, and only the tokens of `write_poem` are printed."""
    together = threading.Barrier(2)

    def answer_both(body: dict[str, Any]) -> str:
        # Neither request is answered before the other one is there: nodes run one by one would never get here.
        together.wait(timeout=30)
        return answer(body)

    server = serve_openai(answer_both)

    run = run_example("14_nodes_full")

    assert_streamed(run.tokens, POEM)
    messages = achunks(run["graph"], {"topic": "cats"}, stream_mode="messages")
    assert texts(messages, langgraph_node="write_poem") == run.tokens
    assert_streamed(texts(messages, langgraph_node="write_joke"), JOKE)
    assert [request.streamed for request in server.requests] == [True] * 4


# Live


@pytest.mark.parametrize(
    "name",
    [
        "10_messages",
        "12_tags_full",
        pytest.param("19_any_llm_full_run", marks=needs_context_in_async_runs),
        "22_async_config",
    ],
)
def test_tokens_are_printed_while_the_model_speaks(run_example, serve_openai, name):
    """Nothing is held back: the model makes its next token only when the example has printed an earlier one."""
    printed = threading.Semaphore(0)

    def on_chunk(request: Any, index: int) -> None:
        # The role chunk and two tokens are free, for clients that look one chunk ahead; the poem is never printed.
        if index > 2 and "poem" not in str(request.body) and not printed.acquire(timeout=30):
            raise TimeoutError("the token before was not printed")

    serve_openai(on_chunk=on_chunk)
    given = {"graph": items_graph(run_example)} if name.startswith("19") else {}

    run = run_example(name, on_print=lambda call: call.end == "|" and call.values[0] and printed.release(), **given)

    assert_streamed(run.tokens, ITEMS if given else JOKE)
