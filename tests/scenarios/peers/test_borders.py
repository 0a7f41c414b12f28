"""What goes from one library into the other and back: signals, errors, policies, caches, context."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langgraph import errors as their_errors
from langgraph import types as their_types
from typing_extensions import Literal, TypedDict

from scenarios.peers.graphs import PASSES_CONTEXT, State, given, model, ours, theirs
from streamgraph import errors
from streamgraph.cache.memory import InMemoryCache
from streamgraph.config import get_store, get_stream_writer
from streamgraph.func import entrypoint, task
from streamgraph.graph import START, StateGraph
from streamgraph.runtime import RunControl, get_runtime
from streamgraph.types import Command, Send

BOTH = pytest.mark.parametrize("asynchronous", [False, True])


def call(graph: Any, asynchronous: bool, value: Any = None, **options: Any) -> Any:
    value = given() if value is None else value
    return asyncio.run(graph.ainvoke(value, **options)) if asynchronous else graph.invoke(value, **options)


def target(state: Any) -> Any:
    return {"log": ["target"]}


def with_target(node: Any) -> Any:
    """A graph of this package with a node and one that only a command reaches."""
    return StateGraph(State).add_node("node", node).add_node(target).add_edge(START, "node").compile()


@BOTH
def test_commands_from_async_nodes_generators_and_handlers(asynchronous: bool) -> None:
    """Wherever ours is taken, LangGraph's is."""

    async def later(state: Any) -> Any:
        return their_types.Command(goto="target", update={"log": ["later"]})

    def generating(state: Any) -> Any:
        yield {"made": 1}
        return their_types.Command(goto="target", update={"log": ["generated"]})

    assert call(with_target(later), asynchronous)["log"] == ["later", "target"]
    assert call(with_target(generating), asynchronous)["log"] == ["generated", "target"]

    def fail(state: Any) -> Any:
        raise ValueError("boom")

    def handle(state: Any, error: Any) -> Any:
        return their_types.Command(goto="target", update={"log": [f"{error.node} failed"]})

    builder = StateGraph(State).add_node("node", fail, error_handler=handle).add_node(target)
    assert call(builder.add_edge(START, "node").compile(), asynchronous)["log"] == ["node failed", "target"]


@BOTH
def test_sends_of_branches_at_the_start(asynchronous: bool) -> None:
    """A branch of the start may send, too."""
    builder = StateGraph(State).add_node("node", lambda state: {"log": ["sent", *state["log"]]})
    builder.add_conditional_edges(START, lambda state: [their_types.Send("node", {"log": ["it"]})], ["node"])
    assert call(builder.compile(), asynchronous)["log"] == ["sent", "it"]


def test_ours_with_theirs_inside() -> None:
    """A command of ours may have sends and overwrites of LangGraph's in it."""

    def node(state: Any) -> Any:
        update: Any = {"log": ["node"]}
        if hasattr(their_types, "Overwrite"):
            update = {"log": their_types.Overwrite(["node"])}
        return Command(goto=[their_types.Send("target", {}), Send("target", {})], update=update)

    assert with_target(node).invoke({"log": ["before"]})["log"][-3:] == ["node", "target", "target"]


def test_annotations_with_their_command() -> None:
    """The targets of `Command[Literal[...]]` are drawn, and `Literal` goes on meaning targets."""

    def node(state: State) -> their_types.Command[Literal["target"]]:
        return their_types.Command(goto="target")

    edges = {(edge.source, edge.target) for edge in with_target(node).get_graph().edges}
    assert ("node", "target") in edges


def test_wrong_targets_are_named() -> None:
    """A command of LangGraph's with an unknown target is refused like one of ours."""
    graph = with_target(lambda state: their_types.Command(goto="tarket"))
    with pytest.raises(errors.UnknownRouteError, match="Did you mean 'target'"):
        graph.invoke(given())


@BOTH
def test_their_parent_command_as_an_exception(asynchronous: bool) -> None:
    """Code that raises LangGraph's `ParentCommand` reaches the graph around it, which is also ours."""

    def node(state: Any) -> Any:
        raise their_errors.ParentCommand(their_types.Command(graph=their_types.Command.PARENT, goto="target"))

    assert call(with_target(ours(node)), asynchronous)["log"] == ["target"]


def test_a_command_for_no_parent() -> None:
    """In a root graph it is our error, which says so."""
    graph = ours(lambda state: their_types.Command(graph=their_types.Command.PARENT, goto="x"))
    with pytest.raises(errors.ParentCommand, match="has no parent"):
        graph.invoke(given())


@BOTH
def test_errors_come_out_unchanged(asynchronous: bool) -> None:
    """Exceptions of users and of LangGraph itself keep their type and identity."""
    error = KeyError("boom")

    def fail(state: Any) -> Any:
        raise error

    with pytest.raises(KeyError) as caught:
        call(ours(theirs(fail), "sub"), asynchronous)
    assert caught.value is error
    with pytest.raises(KeyError) as caught:
        call(theirs(ours(fail), "sub"), asynchronous)
    assert caught.value is error

    from langgraph.graph import StateGraph as TheirGraph

    endless = TheirGraph(State).add_node("a", target).add_edge(START, "a").add_edge("a", "a").compile()
    with pytest.raises(their_errors.GraphRecursionError):
        call(ours(endless, "sub"), asynchronous, config={"recursion_limit": 3})


@BOTH
def test_their_other_signals_pass_through(asynchronous: bool) -> None:
    """A `GraphBubbleUp` of LangGraph's is neither retried nor handled."""
    attempts = []

    def node(state: Any) -> Any:
        attempts.append(1)
        raise their_errors.GraphBubbleUp("up")

    policy = their_types.RetryPolicy(initial_interval=0, retry_on=Exception)
    builder = StateGraph(State).add_node("node", node, retry_policy=policy, error_handler=lambda state, error: {})
    with pytest.raises(errors.GraphBubbleUp, match="GraphBubbleUp passes through"):
        call(builder.add_edge(START, "node").compile(), asynchronous)
    assert len(attempts) == 1
    with pytest.raises(their_errors.GraphBubbleUp, match="up"):
        call(theirs(ours(node), "sub"), asynchronous)


@pytest.mark.skipif(not hasattr(their_errors, "GraphDrained"), reason="this LangGraph cannot be drained")
def test_drained() -> None:
    """A request to end LangGraph's run ends our graph in it, with LangGraph's exception."""
    from langgraph.runtime import RunControl as TheirControl

    control = TheirControl()

    def ask(state: Any) -> Any:
        control.request_drain("closing time")
        return {"log": ["asked"]}

    builder = StateGraph(State).add_node("ask", ask).add_node(target).add_edge(START, "ask").add_edge("ask", "target")
    with pytest.raises(their_errors.GraphDrained, match="closing time"):
        theirs(builder.compile(), "sub").invoke(given(), control=control)
    own = RunControl()
    own.request_drain("ours")
    with pytest.raises(errors.GraphDrained, match="ours"):
        builder.compile().invoke(given(), control=own)


@BOTH
def test_their_policies(asynchronous: bool) -> None:
    """Retry and cache policies of LangGraph's are ours, alone and in lists, also for tasks and entrypoints."""
    failures = [ValueError("one"), ValueError("two")]
    runs = []

    def node(state: Any) -> Any:
        runs.append(1)
        if failures:
            raise failures.pop()
        return {"log": ["done"]}

    retry = [their_types.RetryPolicy(initial_interval=0, jitter=False, retry_on=ValueError, max_attempts=4)]
    cache: Any = their_types.CachePolicy(key_func=lambda value: "same", ttl=60)
    builder = StateGraph(State).add_node("node", node, retry_policy=retry, cache_policy=cache).add_edge(START, "node")
    graph = builder.compile(cache=InMemoryCache())
    assert call(graph, asynchronous)["log"] == ["done"]
    assert call(graph, asynchronous)["log"] == ["done"]
    assert len(runs) == 3

    failures.append(ValueError("again"))

    @task(retry_policy=retry[0])
    def step(value: Any) -> Any:
        return node(value)["log"]

    @entrypoint(retry_policy=retry)
    def work(value: Any) -> Any:
        return step(value).result()

    assert work.invoke(given()) == ["done"]


@pytest.mark.skipif(not hasattr(their_types, "TimeoutPolicy"), reason="this LangGraph has no time limits")
def test_their_time_limits() -> None:
    """A `TimeoutPolicy` of LangGraph's limits our node, and a `Send` of LangGraph's may have one."""

    async def wait(state: Any) -> Any:
        await asyncio.Event().wait()

    policy = their_types.TimeoutPolicy(run_timeout=0.01)
    graph = StateGraph(State).add_node("wait", wait, timeout=policy).add_edge(START, "wait").compile()
    with pytest.raises(errors.NodeTimeoutError):
        asyncio.run(graph.ainvoke(given()))
    builder = StateGraph(State).add_node("wait", wait)
    send = their_types.Send("wait", {}, timeout=policy)
    graph = builder.add_conditional_edges(START, lambda state: [send], ["wait"]).compile()
    with pytest.raises(errors.NodeTimeoutError):
        asyncio.run(graph.ainvoke(given()))


def test_final_of_their_entrypoint() -> None:
    """An entrypoint of ours may return LangGraph's `entrypoint.final`."""
    from langgraph.func import entrypoint as their_entrypoint

    @entrypoint()
    def work(value: Any) -> Any:
        return their_entrypoint.final(value="for the caller", save="for later")

    assert work.invoke(1) == "for the caller"


class Context(TypedDict):
    """A context."""

    user: str


@BOTH
def test_context_and_store_through_three_levels(asynchronous: bool) -> None:
    """They arrive below a graph of the other library; so does the config."""
    seen = []

    def node(state: Any, runtime: Any, config: Any) -> Any:
        seen.append((runtime.context, runtime.store, config["configurable"]["tenant"]))
        return {"log": ["seen"]}

    inner = StateGraph(State, context_schema=Context).add_node("low", node).add_edge(START, "low").compile()
    graph = StateGraph(State, context_schema=Context).add_node("sub", theirs(inner)).add_edge(START, "sub")
    options = {"context": {"user": "me"}, "config": {"configurable": {"tenant": "T"}}}
    call(graph.compile(store="store"), asynchronous, **options)
    assert seen == [({"user": "me"}, "store", "T")]


def test_handlers_hear_each_run_once() -> None:
    """A callback handler on the run hears each node and model once, in graphs of both."""
    heard = []

    class Handler(BaseCallbackHandler):
        """Listens."""

        def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
            heard.append(kwargs.get("name"))

        def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            heard.append("model")

    talker = model("one")

    def low(state: Any) -> Any:
        return {"messages": [talker.invoke("?")]}

    graph = ours(theirs(ours(low, "low"), "middle"), "high")
    for options in ({}, {"stream_mode": "messages"}, {"stream_mode": ["updates", "messages"], "subgraphs": True}):
        heard.clear()
        list(graph.stream(given(), {"callbacks": [Handler()]}, **options))
        for name in ("high", "middle", "low", "model"):
            assert heard.count(name) == 1, (name, heard)


def test_our_functions_in_their_nodes() -> None:
    """Our functions work in nodes of LangGraph, below a graph of ours and without one."""
    seen = []

    def node(state: Any) -> Any:
        get_stream_writer()("written")
        seen.append((get_runtime().context, get_store()))
        return {}

    inner = theirs(node)
    found = list(ours(inner, "sub").stream(given(), stream_mode="custom", subgraphs=True, context={"user": "me"}))
    assert [(namespace[0].partition(":")[0], value) for namespace, value in found] == [("sub", "written")]
    assert list(ours(inner, "sub").stream(given(), stream_mode="custom")) == ["written"]
    assert list(inner.stream(given(), stream_mode="custom", context={"user": "me"})) == ["written"]
    assert list(inner.stream(given(), stream_mode="updates")) == [{"inner": None}]
    assert seen == [({"user": "me"}, None), (None, None), ({"user": "me"}, None), (None, None)]


def test_their_tasks_in_our_nodes() -> None:
    """A `@task` of LangGraph that is called in our node or entrypoint is a task of our run."""
    from langgraph.func import task as their_task

    failures = [ValueError("once")]

    @their_task(retry_policy=their_types.RetryPolicy(initial_interval=0, jitter=False, retry_on=ValueError))
    def step(value: Any, more: int = 0) -> Any:
        if failures:
            raise failures.pop()
        return value + more

    @entrypoint()
    def work(value: Any) -> Any:
        futures = [step(value), step(value, more=2)]
        return [future.result() for future in futures]

    assert [chunk for chunk in work.stream(1) if "work" in chunk] == [{"work": [1, 3]}]
    assert sorted(chunk["step"] for chunk in work.stream(1) if "step" in chunk) == [1, 3]

    def node(state: Any) -> Any:
        return {"log": [str(step(1).result())]}

    assert ours(node).invoke(given())["log"] == ["1"]


def test_their_tasks_in_our_async_entrypoints() -> None:
    """They can be awaited."""
    from langgraph.func import task as their_task

    @their_task
    async def step(value: Any) -> Any:
        return value + 1

    @entrypoint()
    async def work(value: Any) -> Any:
        return await asyncio.gather(step(value), step(value + 1))

    if PASSES_CONTEXT:  # else LangGraph refuses to look for its config in async code
        assert asyncio.run(work.ainvoke(1)) == [2, 3]


def test_keys_of_our_place_do_not_leak() -> None:
    """What LangGraph finds its place by is in no metadata."""

    def node(state: Any, config: Any) -> Any:
        assert "__pregel_task_id" in config["configurable"]
        return {"messages": [("ai", "x")]}

    graph = ours(ours(node), "sub")
    for _, metadata in graph.stream(given(), {"configurable": {"thread_id": "1"}}, stream_mode="messages"):
        assert not [key for key in metadata if key.startswith("__")]
    for _, payload in graph.stream(given(), stream_mode="tasks", subgraphs=True):
        assert "checkpoint_ns" not in payload.get("metadata", {})
