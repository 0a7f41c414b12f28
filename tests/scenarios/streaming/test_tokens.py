"""Tokens of real models over HTTP: from every place a model can be called in, by every method, on both drivers."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from typing import Any, Dict, List

import pytest
from langchain_core.messages import AIMessageChunk

from scenarios.streaming.model_call_graphs import QUESTION, SHAPES, Asked, graph_of, node_function, parallel_nodes
from scenarios.streaming.provider import CALLS, DRIVERS, JOKE, PATIENCE, POEM, ServerProvider, collect, finish
from streamgraph_integrations.openai_server import Request

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def check_calls(chunks: List[Any], asked: List[Asked]) -> None:
    """The chunks, made with `subgraphs=True`, are the tokens of these model calls, whole and once."""
    by_id: Dict[str, List[Any]] = defaultdict(list)
    for ns, (message, metadata) in chunks:
        by_id[message.id].append((ns, message, metadata))
    calls = {"".join(message.content for _, message, _ in call): call for call in by_id.values()}
    assert len(by_id) == len(asked)
    assert set(calls) == {call.text for call in asked}
    for text, node, around in asked:
        check_call(calls[text], node, list(around))


def check_call(call: List[Any], node: str, around: List[str]) -> None:
    """One model call: all of it under one namespace and one set of metadata, in several chunks."""
    assert len([message for _, message, _ in call if message.content]) > 3
    assert all(isinstance(message, AIMessageChunk) for _, message, _ in call)
    ns, _, first = call[0]
    assert [re.sub(f":{UUID}$", "", level) for level in ns] == around
    assert re.fullmatch("\\|".join([*map(re.escape, ns), f"{node}:{UUID}"]), first["langgraph_checkpoint_ns"])
    assert (first["langgraph_node"], first["langgraph_step"], first["tags"]) == (node, 1, [])
    assert re.fullmatch(UUID, first["run_id"])
    assert all((other_ns, metadata) == (ns, first) for other_ns, _, metadata in call)
    usages = [message.usage_metadata for _, message, _ in call if message.usage_metadata]
    assert len(usages) == 1


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", SHAPES)
def test_every_place(provider: Any, name: str, call: str, driver: str) -> None:
    """Wherever and however a model is called, its tokens arrive, with nothing passed on by hand."""
    build, asked = SHAPES[name]
    graph = build(provider.model(), call)

    chunks = collect(graph, {"question": QUESTION}, driver, stream_mode="messages", subgraphs=True)

    check_calls(chunks, asked)
    assert [body.get("stream") for body in provider.bodies] == [True] * len(asked)


@pytest.mark.parametrize("subgraphs", [None, False])
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("name", SHAPES)
def test_without_namespace(server: ServerProvider, name: str, driver: str, subgraphs: Any) -> None:
    """By default tokens of nested graphs arrive like all others; `subgraphs=False` keeps them out."""
    build, asked = SHAPES[name]
    graph = build(server.model(), "ainvoke" if driver == "astream" else "invoke")

    chunks = collect(graph, {"question": QUESTION}, driver, stream_mode="messages", subgraphs=subgraphs)

    texts: Dict[str, str] = defaultdict(str)
    for message, _ in chunks:
        texts[message.id] += message.content
    shown = [call.text for call in asked if subgraphs is None or not call.around]
    assert sorted(texts.values()) == sorted(shown)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("name", SHAPES)
def test_state_is_the_same_in_every_mode(server: ServerProvider, name: str, driver: str) -> None:
    """What ends up in the state does not depend on whether anybody reads the tokens."""
    build, _ = SHAPES[name]
    graph = build(server.model(), "invoke")
    given = {"question": QUESTION}

    quiet = finish(graph, given, driver)
    chunks = collect(graph, given, driver, stream_mode=["messages", "values"])

    assert [data for mode, data in chunks if mode == "values"][-1] == quiet
    assert quiet["answer"] == JOKE


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
def test_parallel_nodes_are_in_flight_together(call: str, driver: str) -> None:
    """Two nodes of one step stream at the same time: each chunk of one waits for one of the other."""
    barrier = threading.Barrier(2, timeout=PATIENCE)
    both = min(len(JOKE.split()), len(POEM.split()))

    def in_step(request: Request, index: int) -> None:
        if index < both:
            barrier.wait()

    with ServerProvider(on_chunk=in_step) as provider:
        graph = parallel_nodes(provider.model(), call)
        chunks = collect(graph, {}, driver, stream_mode="messages", subgraphs=True)

    check_calls(chunks, SHAPES["parallel_nodes"][1])


@pytest.mark.parametrize("driver", DRIVERS)
def test_tags_and_names(provider: Any, driver: str) -> None:
    """The tags of the run and of the model are in the metadata, and so is the name of the call."""
    model = provider.model(tags=["model"]).with_config(run_name="the model", tags=["bound"])
    graph = SHAPES["chain_in_node"][0](model, "invoke")

    chunks = collect(graph, {}, driver, config={"tags": ["run"]}, stream_mode="messages")

    assert chunks
    assert {tuple(sorted(metadata["tags"])) for _, metadata in chunks} == {("bound", "model", "run")}
    assert {metadata["run_name"] for _, metadata in chunks} == {"the model"}


@pytest.mark.parametrize("driver", DRIVERS)
def test_name_of_a_call_that_was_given_none(server: ServerProvider, driver: str) -> None:
    """Without a name of its own a call goes by the name of the model's class, as in traces and `astream_events`."""
    chunks = collect(node_function(server.model(), "invoke"), {}, driver, stream_mode="messages")

    assert {metadata["run_name"] for _, metadata in chunks} == {"ChatOpenAI"}


@pytest.mark.parametrize("driver", DRIVERS)
def test_filter_by_tag(provider: Any, driver: str) -> None:
    """The page's `metadata["tags"] == ["joke"]` picks the tokens of one of two models."""
    joker, poet = provider.model(tags=["joke"]), provider.model(tags=["poem"])

    async def talk(state: Any) -> Any:
        return {"joke": (await joker.ainvoke("a joke")).content, "poem": (await poet.ainvoke("a poem")).content}

    chunks = collect(graph_of(talk=talk), {}, driver, stream_mode="messages")

    assert "".join(message.content for message, metadata in chunks if metadata["tags"] == ["joke"]) == JOKE
    assert "".join(message.content for message, metadata in chunks if metadata["tags"] == ["poem"]) == POEM


@pytest.mark.parametrize("method", ["invoke", "ainvoke"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_method_of_a_graph_as_node(server: ServerProvider, driver: str, method: str) -> None:
    """The bound methods `invoke` and `ainvoke` of a graph are nodes like any other function."""
    inner = node_function(server.model(), "invoke")

    chunks = collect(graph_of(outer=getattr(inner, method)), {}, driver, stream_mode="messages", subgraphs=True)

    check_calls(chunks, [Asked(JOKE, "talk", ("outer",))])
