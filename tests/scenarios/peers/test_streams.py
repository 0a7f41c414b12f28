"""What a stream of ours shows of LangGraph's graphs, where LangGraph has nothing to compare with."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, List

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import StateGraph as TheirGraph

from scenarios.peers.graphs import PASSES_CONTEXT, State, agent, given, model, ours, theirs
from streamgraph.graph import START, StateGraph
from streamgraph.testing import ScriptedModel


@tool
def look(q: str) -> str:
    """Look."""
    from langgraph.config import get_stream_writer

    get_stream_writer()({"looking": q})
    return f"found {q}"


def asking() -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "look", "args": {"q": "x"}, "id": "1"}])


def helper() -> Any:
    return agent(model(asking(), "all done"), [look])


def chunks(graph: Any, asynchronous: bool, value: Any = None, **options: Any) -> List[Any]:
    """Read a stream to its end."""
    value = given() if value is None else value

    async def read() -> List[Any]:
        return [chunk async for chunk in graph.astream(value, **options)]

    return asyncio.run(read()) if asynchronous else list(graph.stream(value, **options))


BOTH = pytest.mark.parametrize("asynchronous", [False, True][: 1 + PASSES_CONTEXT])


@BOTH
def test_tokens_and_custom_data_without_namespaces(asynchronous: bool) -> None:
    """By default tokens, tool messages and custom data of nested graphs are shown, each once and in order."""
    found = chunks(ours(helper(), "helper"), asynchronous, stream_mode=["messages", "custom", "updates"])
    texts: List[Any] = []
    for mode, payload in found:
        if mode == "messages":
            message, metadata = payload
            if message.content:
                texts.append(message.content)
            assert metadata["langgraph_node"] in ("model", "agent", "tools")
            assert metadata["langgraph_checkpoint_ns"].startswith("helper:")
        elif mode == "custom":
            texts.append(payload)
        else:
            texts.append(list(payload))
    assert texts == [{"looking": "x"}, "found x", "all", " done", ["helper"]]


@BOTH
def test_nothing_of_nested_graphs(asynchronous: bool) -> None:
    """`subgraphs=False` shows what the node returns, as LangGraph does, and no tokens."""
    found = chunks(ours(helper(), "helper"), asynchronous, stream_mode="messages", subgraphs=False)
    assert {metadata["langgraph_node"] for _, metadata in found} == {"helper"}
    assert found[-1][0].content == "all done"


@BOTH
@pytest.mark.parametrize(
    ("rules", "nodes"),
    [
        ({"include_nodes": "ask"}, {"ask"}),
        ({"exclude_nodes": "ask"}, {"tell"}),
        ({"include_nodes": ["ask", "tell"]}, {"ask", "tell"}),
        ({"exclude_tags": "quiet"}, {"tell"}),
        ({"include_tags": "quiet"}, {"ask"}),
    ],
)
def test_filters(asynchronous: bool, rules: Any, nodes: Any) -> None:
    """Filters know the nodes and tags of LangGraph's graphs."""

    quiet = model("one two", tags=["quiet"])

    def ask(state: Any) -> Any:
        return {"messages": [quiet.invoke("?")]}

    def tell(state: Any) -> Any:
        return {"messages": [AIMessage("told", id="told")]}

    inner = TheirGraph(State).add_node(ask).add_node(tell).add_edge(START, "ask").add_edge("ask", "tell").compile()
    found = chunks(ours(inner, "sub"), asynchronous, stream_mode="messages", **rules)
    assert {metadata["langgraph_node"] for _, metadata in found} == nodes


@BOTH
def test_a_retried_node_of_theirs_is_announced(asynchronous: bool) -> None:
    """The tokens of a failed attempt in LangGraph's graph are taken back before the next attempt shows more."""
    from langgraph.types import RetryPolicy

    failures = [ValueError("once")]
    talker = model("first", "second")

    def shaky(state: Any) -> Any:
        message = talker.invoke("?")
        if failures:
            raise failures.pop()
        return {"messages": [message]}

    policy = RetryPolicy(initial_interval=0, jitter=False, retry_on=ValueError)
    inner = TheirGraph(State).add_node("shaky", shaky, retry_policy=policy).add_edge(START, "shaky").compile()
    found = [message for message, _ in chunks(ours(inner, "sub"), asynchronous, stream_mode="messages")]
    kinds = [message.content or message.type for message in found if message.content or message.type == "remove"]
    assert kinds == ["first", "remove", "second"]
    assert found[-1].id != next(message.id for message in found if message.type == "remove")


@BOTH
def test_edited_messages_are_shown_once_more(asynchronous: bool) -> None:
    """A message that a later node of LangGraph's changes is shown once in its new form; copies are not."""

    talker = model("first")

    def ask(state: Any) -> Any:
        return {"messages": [talker.invoke("?")]}

    def copy(state: Any) -> Any:
        return {"messages": [state["messages"][-1].model_copy()]}

    def edit(state: Any) -> Any:
        return {"messages": [AIMessage("second", id=state["messages"][-1].id)]}

    builder = TheirGraph(State).add_node(ask).add_node(copy).add_node(edit)
    inner = builder.add_edge(START, "ask").add_edge("ask", "copy").add_edge("copy", "edit").compile()
    found = [message.content for message, _ in chunks(ours(inner, "sub"), asynchronous, stream_mode="messages")]
    assert [content for content in found if content] == ["first", "second"]


def test_an_id_that_is_shown_is_that_in_the_state() -> None:
    """A message that a node of LangGraph returns without an id is shown with the one that it has in the end."""

    def tell(state: Any) -> Any:
        return {"messages": [AIMessage("told")]}

    stream = ours(theirs(tell), "sub").stream(given(), stream_mode="messages")
    shown = [message.id for message, _ in stream]
    assert shown == [stream.output["messages"][-1].id]


def test_tools_mode() -> None:
    """Tool calls of LangGraph's agents are shown in their namespace, if namespaces are asked for."""
    graph = ours(helper(), "helper")
    found = list(graph.stream(given(), stream_mode="tools", subgraphs=True))
    assert [payload["event"] for _, payload in found] == ["tool-started", "tool-finished"]
    assert {namespace[0].partition(":")[0] for namespace, _ in found} == {"helper"}
    assert list(graph.stream(given(), stream_mode="tools")) == []


def test_version_2() -> None:
    """The typed form has the namespace of LangGraph's graphs."""
    graph = ours(helper(), "helper")
    parts = list(graph.stream(given(), stream_mode=["updates", "custom"], subgraphs=True, version="v2"))
    inner = [(part["type"], list(part["data"])) for part in parts if part["ns"]]
    assert [kind for kind, _ in inner] == ["updates", "custom", "updates", "updates"]
    assert parts[-1]["ns"] == ()


def test_a_thread_of_its_own() -> None:
    """A graph of LangGraph that is called with another thread is shown below the node that calls it."""
    talker = model("one two")

    def ask(state: Any) -> Any:
        return {"messages": [talker.invoke("?")]}

    inner = theirs(ask, "ask")

    def node(state: Any) -> Any:
        inner.invoke(state, {"configurable": {"thread_id": "its own"}})
        return {}

    found = list(ours(node).stream(given(), stream_mode="messages", subgraphs=True))
    assert "".join(message.content for _, (message, _) in found) == "one two"
    assert all(namespace and namespace[0].startswith("node:") for namespace, _ in found)


def test_two_threads_at_once() -> None:
    """Runs that are side by side in two threads keep their messages apart."""
    start = threading.Barrier(2)
    found: dict = {}

    def work(word: str) -> None:
        talker = ScriptedModel([f"{word} {word} {word}"], cycle=True)

        def ask(state: Any) -> Any:
            start.wait(10)
            return {"messages": [talker.invoke("?")]}

        graph = ours(theirs(ask), "sub")
        found[word] = "".join(message.content for message, _ in graph.stream(given(), stream_mode="messages"))

    workers = [threading.Thread(target=work, args=(word,)) for word in ("one", "two")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == {word: f"{word} {word} {word}" for word in ("one", "two")}


def test_results_with_other_keys() -> None:
    """A graph of LangGraph may return keys that our state does not have."""

    class Larger(State, total=False):
        """A state with one more key."""

        more: str

    inner = TheirGraph(Larger).add_node("a", lambda state: {"more": "m", "log": ["a"]}).add_edge(START, "a").compile()
    assert ours(inner, "sub").invoke(given())["log"] == ["a"]


def test_values_are_the_consumers_own() -> None:
    """A consumer may change the containers of a chunk of LangGraph's graph."""

    def tell(state: Any) -> Any:
        return {"log": ["told"]}

    graph = ours(theirs(tell), "sub")
    for namespace, chunk in graph.stream(given(), stream_mode="values", subgraphs=True):
        if namespace:
            chunk["log"].append("mine")
    stream = graph.stream(given(), stream_mode="values", subgraphs=True)
    for _, chunk in stream:
        chunk["log"].append("mine")
    assert stream.output["log"] == ["told"]


def test_builders_of_both_take_the_same_state() -> None:
    """State classes of LangGraph are states of ours."""
    from langgraph.graph import MessagesState

    def node(state: MessagesState) -> Any:
        return {"messages": [("ai", "yes")]}

    graph = StateGraph(MessagesState).add_node(node).add_edge(START, "node").compile()
    assert [message.content for message in graph.invoke({"messages": [("user", "no")]})["messages"]] == ["no", "yes"]


def test_async_runs_where_theirs_lose_their_context() -> None:
    """Tokens of an async graph of LangGraph are shown on every Python."""
    talker = model("one two")

    async def ask(state: Any) -> Any:
        return {"messages": [await talker.ainvoke("?")]}

    found = chunks(ours(theirs(ask), "sub"), True, stream_mode="messages")
    assert "".join(message.content for message, _ in found) == "one two"
