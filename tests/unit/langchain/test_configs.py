"""Configs: how those of graph, run, node and call add up, and what of them is shown."""

from __future__ import annotations

import asyncio
import sys

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableBranch, RunnableLambda, RunnableParallel

from streamgraph import START, StateGraph, get_config
from streamgraph.types import Send
from support.list_graphs import State, chat, drivers, line
from support.models import Whole, scripted

ASK = {"messages": "hi"}
SECRETS = {"api_key": "sk-secret", "user_id": 7, "nested": {"token": "sk-secret"}}


def metadata_of(graph, config=None, **options):
    """The metadata of all messages, which `stream` and `astream` give alike."""
    found = []
    for chunks in drivers(graph, ASK, config, stream_mode="messages", **options).values():
        assert chunks
        found.append([metadata for _, metadata in chunks])
    return found[0] + found[1]


def ask(**config):
    """A node that calls a model with this config and returns its message."""
    return lambda state: {"messages": [scripted().invoke("question", config or None)]}


def returns(state):
    """A node that returns a message of its own."""
    return {"messages": [AIMessage("own")]}


def test_tags_add_up_in_order():
    """Tags of the graph come first, then those of the run, of the nested graph, of the call and of the model."""
    inner = chat(lambda state: {"messages": [scripted(tags=["model"]).invoke("q", {"tags": ["call"]})]})
    graph = chat(inner.with_config(tags=["sub"])).with_config(tags=["graph"])
    tags = {tuple(metadata["tags"]) for metadata in metadata_of(graph, {"tags": ["run"]})}
    assert tags == {("graph", "run", "sub", "call", "model")}


def test_tags_of_returned_messages():
    """A message that a node returns has the tags of its run; a list of its own, empty without tags."""
    assert [metadata["tags"] for metadata in metadata_of(chat(returns))] == [[], []]
    assert [metadata["tags"] for metadata in metadata_of(chat(returns), {"tags": ["run"]})] == [["run"]] * 2


def test_tags_once():
    """A tag that is given several times is there once."""
    graph = chat(ask(tags=["one"])).with_config(tags=["one"])
    assert {tuple(metadata["tags"]) for metadata in metadata_of(graph, {"tags": ["one"]})} == {("one",)}


MODEL = scripted()


@pytest.mark.parametrize(
    "node",
    [
        RunnableLambda(lambda state: "q") | MODEL | (lambda message: {"messages": [message]}),
        RunnableParallel(messages=MODEL | (lambda message: [message])),
        {"messages": RunnableLambda(lambda state: "q") | MODEL},
        RunnableBranch((lambda state: True, MODEL), MODEL) | (lambda message: {"messages": [message]}),
        ask(),
    ],
    ids=["sequence", "parallel", "dict", "branch", "function"],
)
def test_internal_tags_are_not_shown(node):
    """LangChain's own tags are never in the metadata, and the user's are all there."""
    if not callable(node):
        node = node if isinstance(node, dict) else RunnableLambda(lambda state: "q") | node
    for config, tags in ((None, []), ({"tags": ["mine"]}, ["mine"])):
        assert {tuple(metadata["tags"]) for metadata in metadata_of(chat(node), config)} == {tuple(tags)}


def test_metadata_adds_up():
    """The later wins: nested graph, graph, run, node around, node, call."""
    inner = StateGraph(State).add_node(
        "n",
        lambda state: scripted().invoke("q", {"metadata": {"e": "call", "f": "call"}}) and None,
        metadata={"d": "node", "e": "node", "f": "node"},
    )
    sub = inner.add_edge(START, "n").compile()
    sub = sub.with_config(metadata=dict.fromkeys("bcdefgh", "sub"))
    outer = (
        StateGraph(State).add_node("o", sub, metadata=dict.fromkeys("cdef", "around")).add_edge(START, "o").compile()
    )
    graph = outer.with_config(metadata=dict.fromkeys("abcdefg", "graph"))
    (found,) = {
        tuple((key, metadata[key]) for key in "abcdefgh")
        for _, metadata in graph.stream({}, {"metadata": dict.fromkeys("abcdef", "run")}, stream_mode="messages")
    }
    assert dict(found) == {
        "a": "run",
        "b": "run",
        "c": "around",
        "d": "node",
        "e": "call",
        "f": "call",
        "g": "graph",
        "h": "sub",
    }


FALSE = {"langgraph_node": "FAKE", "langgraph_step": 99, "langgraph_own": "FAKE"}


@pytest.mark.parametrize("where", ["graph", "run", "node", "call", "model"])
@pytest.mark.parametrize("kind", ["model", "whole", "returned"])
def test_our_keys_are_ours(where, kind):
    """Whatever metadata a user gives and wherever, `langgraph_node` and its kind say the truth."""

    def node(state):
        config = {"metadata": FALSE} if where == "call" else None
        model = (scripted if kind == "model" else Whole)(metadata=FALSE if where == "model" else None)
        return {"messages": [AIMessage("own") if kind == "returned" else model.invoke("q", config)]}

    builder = StateGraph(chat(node).builder.state_schema)
    builder.add_node("n", node, metadata=FALSE if where == "node" else None).add_edge(START, "n")
    graph = builder.compile()
    if where == "graph":
        graph = graph.with_config(metadata=FALSE)
    for metadata in metadata_of(graph, {"metadata": FALSE} if where == "run" else None):
        assert (metadata["langgraph_node"], metadata["langgraph_step"]) == ("n", 1)
        assert metadata["langgraph_triggers"] == ("branch:to:n",)


@pytest.mark.parametrize("node", [ask(), returns], ids=["model", "returned"])
def test_secrets_are_not_shown(node):
    """Nothing of `configurable` is in the metadata of a message but the well-known ids."""
    config = {"configurable": {**SECRETS, "thread_id": "t1"}}
    inner = chat(node)
    for graph in (inner, chat(inner), inner.with_config(configurable=SECRETS)):
        for metadata in metadata_of(graph, config):
            assert "sk-secret" not in repr(metadata)
            assert not set(SECRETS) & set(metadata)
            assert metadata["thread_id"] == "t1"


def test_metadata_of_a_call():
    """The keys that are promised are there, on every chunk, in dicts of their own."""
    graph = chat(ask(run_name="asked"))
    for chunks in drivers(graph, ASK, stream_mode="messages").values():
        first = chunks[0][1]
        assert first["langgraph_path"] == ("__pregel_pull", "n0")
        assert first["langgraph_checkpoint_ns"] == first["checkpoint_ns"]
        assert first["langgraph_checkpoint_ns"].startswith("n0:")
        assert (first["ls_model_type"], first["run_name"]) == ("chat", "asked")
        assert first["run_id"]
        assert all(metadata == first for _, metadata in chunks)
        assert len({id(metadata) for _, metadata in chunks}) == len(chunks)
        assert len({id(metadata["tags"]) for _, metadata in chunks}) == len(chunks)


def test_metadata_of_a_send():
    """A task that was sent says so."""
    builder = StateGraph(State).add_node("w", lambda given: scripted().invoke(given) and None)
    graph = builder.add_conditional_edges(START, lambda state: [Send("w", "one"), Send("w", "two")]).compile()
    paths = {metadata["langgraph_path"] for _, metadata in graph.stream({}, stream_mode="messages")}
    assert paths == {("__pregel_push", 0, False), ("__pregel_push", 1, False)}


def test_config_of_a_node():
    """A node finds the user's config in its own, and by asking for it."""

    def node(state, config):
        assert get_config()["configurable"]["k"] == config["configurable"]["k"]
        return {"x": [config["configurable"]["k"], config["metadata"]["m"], config["tags"]]}

    config = {"configurable": {"k": 1}, "metadata": {"m": 2}, "tags": ["t"]}
    for graph in (line(node), line(line(node))):
        assert graph.invoke({}, config)["x"] == [1, 2, ["t"]]
    assert config == {"configurable": {"k": 1}, "metadata": {"m": 2}, "tags": ["t"]}


def test_configs_do_not_leak():
    """What a node does to its config reaches neither the caller's nor that of the next node."""
    given = {"configurable": {"k": 1}, "metadata": {"m": 1}, "tags": ["t"]}

    def vandal(state, config):
        for value in (config["configurable"], config["metadata"]):
            value["spoilt"] = True
        config["tags"].append("spoilt")

    def look(state, config):
        assert "spoilt" not in {**config["configurable"], **config["metadata"]}
        assert config["tags"] == ["t"]

    line(vandal, look).invoke({}, given)
    assert given == {"configurable": {"k": 1}, "metadata": {"m": 1}, "tags": ["t"]}


def test_keys_that_langchain_does_not_know():
    """An unknown key of a config belongs to `configurable`, as in langchain-core."""
    assert line(lambda state, config: {"x": [config["configurable"]["own"]]}).invoke({}, {"own": 5})["x"] == [5]


def test_get_config_outside():
    """Outside of a run there is no config."""
    with pytest.raises(RuntimeError, match="outside of a run"):
        get_config()


def test_recursion_limit_of_a_nested_graph():
    """A nested graph has the limit of the run around it, or the one it is bound to if the run was given none."""
    loop = StateGraph(State).add_node("n", lambda state: {"x": [1]}).add_edge(START, "n")
    loop = loop.add_conditional_edges("n", lambda state: "n" if len(state["x"]) < 5 else "__end__").compile()
    with pytest.raises(RecursionError, match="limit of 4 "):
        line(loop).invoke({}, {"recursion_limit": 4})
    assert line(loop).invoke({}, {"recursion_limit": 5}) == {"x": [1] * 5}
    bound = loop.with_config(recursion_limit=3)
    for graph in (bound, line(bound), line(lambda state: bound.invoke(state))):
        with pytest.raises(RecursionError, match="limit of 3 "):
            graph.invoke({})


def test_async_without_config():
    """The config reaches what an async node calls, on every Python, without being handed on."""

    async def leaf(given, config):
        return config["configurable"]["k"]

    async def node(state):
        gathered = await asyncio.gather(*(RunnableLambda(leaf).ainvoke(state) for _ in range(2)))
        return {"x": gathered}

    out = asyncio.run(line(node).ainvoke({}, {"configurable": {"k": 3}}))
    assert out == {"x": [3, 3]}, sys.version


def test_a_handler_that_is_bound_and_handed():
    """A handler given both to with_config and to the call hears each thing once."""
    heard = []

    class Handler(BaseCallbackHandler):
        def on_chain_start(self, serialized, inputs, *, run_id, **kwargs):
            heard.append(("start", run_id))

        def on_chain_end(self, outputs, *, run_id, **kwargs):
            heard.append(("end", run_id))

    handler = Handler()
    line(lambda state: None).with_config(callbacks=[handler]).invoke({}, {"callbacks": [handler]})
    assert len(heard) == len(set(heard)) == 4
