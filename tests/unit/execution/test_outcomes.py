"""What a node or branch returned, on its way into the state: Runnables are called, reducers run once, ids are known."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, Callable, List

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from typing_extensions import Annotated, TypedDict

from streamgraph.cache.memory import InMemoryCache
from streamgraph.func import entrypoint, task
from streamgraph.graph import START, MessagesState, StateGraph, add_messages
from streamgraph.types import CachePolicy, Command, Overwrite


class Items(TypedDict):
    """A list that grows."""

    x: Annotated[List[Any], operator.add]


def one_node(node: Callable[..., Any], schema: Any = Items, **options: Any) -> Any:
    """A graph of one node."""
    return StateGraph(schema).add_node("a", node, **options).add_edge(START, "a").compile()


def ends(graph: Any, given: Any) -> List[Any]:
    """The results of a sync and an async run."""
    return [graph.invoke(given), asyncio.run(graph.ainvoke(given))]


# Runnables that are returned.


async def later(state: Any) -> Any:
    """An async function."""
    return {"x": ["later"]}


@pytest.mark.parametrize(
    ("returned", "found"),
    [
        (RunnableLambda(lambda state: {"x": [len(state["x"])]}), [1]),
        (RunnableLambda(later), ["later"]),
        (one_node(lambda state: {"x": ["inner"]}), ["in", "inner"]),
        (one_node(lambda state: RunnableLambda(later)), ["in", "later"]),
    ],
    ids=["function", "async function", "graph", "graph whose node returns one"],
)
def test_a_returned_runnable_is_called(returned: Any, found: List[Any]) -> None:
    """A Runnable in place of a result is called with the node's input, also by a node without a sync form."""

    async def asynchronous(state: Any) -> Any:
        return returned

    for node in (lambda state: returned, asynchronous):
        assert ends(one_node(node), {"x": ["in"]}) == [{"x": ["in", *found]}] * 2


def test_a_runnable_returned_by_a_branch() -> None:
    """The same holds for branches, with and without a trace."""
    builder = StateGraph(Items).add_node("a", lambda state: None).add_node("b", lambda state: {"x": ["b"]})
    builder.add_edge(START, "a").add_conditional_edges("a", lambda state: RunnableLambda(lambda state: "b"))
    graph = builder.compile()
    assert ends(graph, {"x": []}) == [{"x": ["b"]}] * 2
    assert [event["event"] for event in asyncio.run(events(graph))].count("on_chain_end") > 2


async def events(graph: Any) -> List[Any]:
    """The events of a run."""
    return [event async for event in graph.astream_events({"x": []}, version="v2")]


def test_what_tasks_and_entrypoints_return_is_a_value() -> None:
    """The result of a function that is no node may be a Runnable."""
    runnable = RunnableLambda(lambda value: value)

    @task
    def give(value: int) -> Any:
        return runnable

    @entrypoint()
    def whole(value: int) -> Any:
        return [give(value).result() is runnable, runnable]

    assert whole.invoke(1) == [True, runnable]


# Reducers.


def counting() -> Any:
    """A reducer that remembers what it was called with, and the list of that."""
    runs: List[Any] = []

    def add(left: List[Any], right: List[Any]) -> List[Any]:
        runs.append(right)
        return left + right

    return add, runs


@pytest.mark.parametrize("mode", ["values", "updates", "messages"])
@pytest.mark.parametrize("branches", [False, True])
def test_a_reducer_runs_once_for_each_write(branches: bool, mode: str) -> None:
    """Beside other nodes and before branches too, in every mode."""
    add, runs = counting()
    two = {"x": Annotated[list, add], "y": Annotated[list, add]}
    builder = StateGraph(TypedDict("state", two))  # type: ignore[misc]
    for key in "xy":
        builder.add_node(f"to_{key}", lambda given, key=key: {key: [AIMessage(key)]})
        builder.add_edge(START, f"to_{key}")
        if branches:
            builder.add_conditional_edges(f"to_{key}", lambda given: "end")
    builder.add_node("end", lambda given: None)
    with builder.compile().stream({}, stream_mode=mode) as stream:
        list(stream)
    assert sorted(message.content for (message,) in runs) == ["x", "y"]
    assert [message.content for key in "xy" for message in stream.output[key]] == ["x", "y"]


def test_branches_beside_each_other_see_their_own_node() -> None:
    """Two nodes write one key: each branch sees the write of its node alone, the state has both, in order."""
    add, runs = counting()
    seen: List[Any] = []
    builder = StateGraph(TypedDict("state", {"x": Annotated[list, add]}))  # type: ignore[misc]
    for name in "ab":
        builder.add_node(name, lambda given, name=name: [Command(update={"x": [name]}), {"x": [name * 2]}])
        builder.add_edge(START, name)
        builder.add_conditional_edges(name, lambda given: seen.append(given["x"]) or "end")
    builder.add_node("end", lambda given: None)
    assert builder.compile().invoke({"x": [0]}) == {"x": [0, "a", "aa", "b", "bb"]}
    assert sorted(seen, key=str) == [[0, "a", "aa"], [0, "b", "bb"]]
    # Only what follows another node's write is folded anew.
    assert sorted(map(str, runs)) == sorted(map(str, [[0], ["a"], ["aa"], ["b"], ["bb"], ["b"], ["bb"]]))


def test_an_overwrite_before_a_branch() -> None:
    """What a branch has seen of an overwrite is what the step stores; a second one beside it is an error."""
    builder = StateGraph(Items)
    for name in "ab":
        builder.add_node(name, lambda given, name=name: {"x": Overwrite([name]) if name == "a" else [name]})
        builder.add_edge(START, name)
        builder.add_conditional_edges(name, lambda given: "end")
    builder.add_node("end", lambda given: None)
    assert builder.compile().invoke({"x": [0]}) == {"x": ["a"]}


# Ids.


def mine(left: Any, right: Any) -> Any:
    """A reducer around `add_messages`."""
    return add_messages(left or [], right)


class Mine(TypedDict):
    """A conversation with a reducer of one's own."""

    messages: Annotated[list, mine]


@pytest.mark.parametrize("schema", [MessagesState, Mine], ids=["add_messages", "a reducer of one's own"])
def test_the_id_in_the_stream_is_that_in_the_state(schema: Any) -> None:
    """A message is shown under the id that it has in the state, and that the node's own object has."""
    made = AIMessage("one")
    with one_node(lambda state: {"messages": [made]}, schema).stream(
        {"messages": []}, stream_mode=["messages", "updates", "values"]
    ) as stream:
        chunks = list(stream)
    shown = {data[0].id for mode, data in chunks if mode == "messages"}
    updated = {message.id for mode, data in chunks if mode == "updates" for message in data["a"]["messages"]}
    assert shown == updated == {made.id} == {stream.output["messages"][0].id}
    assert made.id is not None


def test_a_failing_reducer_hides_no_update() -> None:
    """A reducer that runs early fails the run as it would later: after the node's update."""

    def bad(left: Any, right: Any) -> Any:
        raise LookupError("no")

    graph = one_node(lambda state: {"x": [AIMessage("one")]}, TypedDict("state", {"x": Annotated[list, bad]}))
    got: List[Any] = []
    with pytest.raises(LookupError):
        for chunk in graph.stream({}, stream_mode=["updates", "messages"]):
            got.append(chunk)  # noqa: PERF402  (what came before the failure)
    assert [mode for mode, _ in got] == ["updates"]


@pytest.mark.parametrize("mode", ["values", "messages"])
@pytest.mark.parametrize("branch", [False, True])
@pytest.mark.parametrize("wrap", [lambda made: made, lambda made: [made], lambda made: Overwrite([made])])
def test_kept_messages_get_new_ids(wrap: Any, branch: bool, mode: str) -> None:
    """A cached result has the ids that the node gave: a message without one gets another in every run."""
    builder = StateGraph(MessagesState)
    builder.add_node(
        "a", lambda state: {"messages": wrap(AIMessage("kept"))}, cache_policy=CachePolicy(key_func=lambda given: "key")
    )
    builder.add_edge(START, "a").add_node("b", lambda state: None)
    if branch:
        builder.add_conditional_edges("a", lambda state: "b")
    graph = builder.compile(cache=InMemoryCache())
    ids = []
    for _ in range(3):
        with graph.stream({"messages": [HumanMessage("hi", id="h1")]}, stream_mode=mode) as stream:
            list(stream)
        ids.append(stream.output["messages"][-1].id)
    assert len(set(ids)) == 3
    assert None not in ids


def test_kept_messages_keep_their_own_ids() -> None:
    """An id that the node has given is kept."""
    policy = CachePolicy(key_func=lambda given: "key")
    builder = StateGraph(MessagesState).add_node(
        "a", lambda state: {"messages": AIMessage("kept", id="own")}, cache_policy=policy
    )
    graph = builder.add_edge(START, "a").compile(cache=InMemoryCache())
    assert [graph.invoke({"messages": []})["messages"][0].id for _ in range(2)] == ["own", "own"]


def test_ids_are_no_change_of_the_state() -> None:
    """In the checking mode, a nested graph may give ids to messages of an outer key that gives none."""
    inner = one_node(lambda state: {"messages": [AIMessage("inner")]}, MessagesState)
    outer = StateGraph(TypedDict("outer", {"messages": List[BaseMessage]}))  # type: ignore[misc]
    graph = outer.add_node("sub", inner).add_edge(START, "sub").compile(debug="mutations")
    found = graph.invoke({"messages": [HumanMessage("hi")]})["messages"]
    assert [message.content for message in found] == ["hi", "inner"]
    assert all(message.id for message in found)
