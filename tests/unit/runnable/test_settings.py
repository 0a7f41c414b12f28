"""Settings of a compiled graph: what can be set afterwards takes effect, and what cannot is refused."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, List
from unittest import mock

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph import START, StateGraph
from streamgraph.cache.memory import InMemoryCache
from streamgraph.errors import FixedAttributeError, UnknownOptionError
from streamgraph.func import entrypoint
from streamgraph.graph.state import CompiledStateGraph
from streamgraph.runtime import Runtime
from streamgraph.types import CachePolicy, RetryPolicy


class State(TypedDict, total=False):
    """Two keys."""

    x: Annotated[list, operator.add]
    y: int


@dataclass
class User:
    """A context."""

    name: str


def made(*nodes: Any, **options: Any) -> Any:
    """A graph of these nodes, one after the other."""
    builder = StateGraph(State, **options)
    names = [f"n{number}" for number in range(len(nodes))]
    for name, node in zip(names, nodes):
        builder.add_node(name, node)
    for source, target in zip([START, *names], names):
        builder.add_edge(source, target)
    return builder.compile()


def one(state: State) -> State:
    """Write both keys."""
    return {"x": [1], "y": 2}


# --- what takes effect ------------------------------------------------------------------------------------------------


def test_stream_mode() -> None:
    """A stream that asks for no mode has that of the graph; several make pairs, as in a call."""
    graph = made(one)
    assert list(graph.stream({})) == [{"n0": {"x": [1], "y": 2}}]
    graph.stream_mode = "values"
    assert list(graph.stream({"x": [0]})) == [{"x": [0]}, {"x": [0, 1], "y": 2}]
    graph.stream_mode = ["values", "updates"]
    assert [mode for mode, _ in graph.stream({"x": [0]})] == ["values", "updates", "values"]
    assert list(graph.stream({}, stream_mode="custom")) == []


def test_stream_mode_is_not_that_of_a_chain() -> None:
    """As a step of a chain the graph hands its output on, whatever its mode is."""
    graph = made(one)
    graph.stream_mode = "values"
    assert list((graph | (lambda output: output["y"])).stream({})) == [2]


def test_stream_channels() -> None:
    """A stream shows these keys, and its output is that of `invoke` all the same."""
    graph = made(one)
    graph.stream_channels = ["y"]
    assert list(graph.stream({}, stream_mode="updates")) == [{"n0": {"y": 2}}]
    assert graph.stream_channels_list == graph.stream_channels_asis == ["y"]
    stream = graph.stream({}, stream_mode="tasks")
    assert [part.get("result") for part in stream] == [None, {"y": 2}]
    assert stream.output == {"x": [1], "y": 2}
    graph.stream_channels = "y"
    assert list(graph.stream({}, stream_mode="updates")) == [{"n0": 2}]
    assert graph.stream_channels_list == ["y"]
    graph.stream_channels = None
    assert list(graph.stream({}, stream_mode="updates")) == [{"n0": {"x": [1], "y": 2}}]
    assert graph.stream_channels_list == ["x", "y"]


def test_output_channels() -> None:
    """`invoke` returns these keys, and so do the `output` of a stream and the chunks that `invoke` collects."""
    graph = made(one)
    graph.output_channels = ["y"]
    assert graph.invoke({}) == {"y": 2}
    stream = graph.stream({})
    assert list(stream) == [{"n0": {"x": [1], "y": 2}}]
    assert stream.output == {"y": 2}
    graph.output_channels = "x"
    assert graph.invoke({}) == [1]
    assert graph.invoke({}, stream_mode="updates") == [{"n0": [1]}]
    assert graph.invoke({}, output_keys=["y"]) == {"y": 2}
    graph.output_channels, graph.stream_channels = ["x", "y"], "y"
    assert graph.invoke({}, stream_mode="updates") == [{"n0": {"x": [1], "y": 2}}]


def test_retry_policy() -> None:
    """Nodes without a policy of their own are retried as the graph says, in graphs and in workflows."""
    tries: List[int] = []

    def fails_once(state: object) -> object:
        tries.append(1)
        if len(tries) % 2:
            raise ConnectionError
        return {"y": 3} if isinstance(state, dict) else 3

    once = RetryPolicy(initial_interval=0, jitter=False)
    graph = made(fails_once)
    graph.retry_policy = once
    assert graph.retry_policy == (once,)
    assert graph.invoke({})["y"] == 3
    workflow = entrypoint()(fails_once)
    workflow.retry_policy = [once]
    assert workflow.invoke(1) == 3
    graph.retry_policy = ()
    with pytest.raises(ConnectionError):
        graph.invoke({})


def test_a_node_keeps_its_own_policy() -> None:
    """The policy of the graph is for the other nodes."""
    tries: List[int] = []

    def fails(state: State) -> State:
        tries.append(1)
        raise ConnectionError

    policy = RetryPolicy(initial_interval=0, jitter=False, max_attempts=2)
    graph = StateGraph(State).add_node("a", fails, retry_policy=policy).add_edge(START, "a").compile()
    graph.retry_policy = policy._replace(max_attempts=5)
    with pytest.raises(ConnectionError):
        graph.invoke({})
    assert len(tries) == 2


def test_cache_and_cache_policy() -> None:
    """With both set, a node runs once for equal inputs."""
    calls: List[int] = []

    def count(state: State) -> State:
        calls.append(1)
        return {"y": len(calls)}

    graph = made(count)
    graph.cache, graph.cache_policy = InMemoryCache(), CachePolicy()
    assert [graph.invoke({"x": [1]})["y"] for _ in range(2)] == [1, 1]
    graph.clear_cache()
    assert graph.invoke({"x": [1]})["y"] == 2


def test_store_context_and_config() -> None:
    """Nodes get what was set; a config is that of every run."""
    seen: List[object] = []

    def look(state: State, runtime: Runtime[User], config: Any) -> None:
        seen.append((runtime.store, runtime.context, config["configurable"].get("user")))

    graph = made(look)
    graph.store, graph.context_schema, graph.config = "store", User, {"configurable": {"user": "me"}}
    graph.invoke({}, context={"name": "you"})
    assert seen == [("store", User("you"), "me")]
    assert graph.get_context_jsonschema() is not None


def test_debug(capsys: pytest.CaptureFixture[str]) -> None:
    """A graph with `debug` prints its updates and values."""
    graph = made(one)
    graph.debug = True
    graph.invoke({})
    assert "updates" in capsys.readouterr().out


def test_name() -> None:
    """The name is that of its runs, and of the models of its schemas."""
    graph = made(one)
    graph.name = "mine"
    assert graph.get_name() == "mine"


def test_copies_have_settings_of_their_own() -> None:
    """What is set on a copy is not set on the original, and a copy takes settings."""
    graph = made(one)
    copied = graph.copy({"stream_mode": "values", "name": "copy"})
    bound = graph.with_config(tags=["t"])
    bound.stream_mode = "debug"
    assert (graph.stream_mode, copied.stream_mode, bound.stream_mode) == ("updates", "values", "debug")
    assert (graph.name, copied.name) == ("LangGraph", "copy")
    assert list(copied.stream({})) == [{"x": [1], "y": 2}]


def test_methods_can_be_replaced() -> None:
    """Tests patch methods of graphs."""
    graph = made(one)
    with mock.patch.object(graph, "invoke", return_value="patched"):
        assert graph.invoke({}) == "patched"
    assert graph.invoke({}) == {"x": [1], "y": 2}


def test_attributes_of_ones_own() -> None:
    """Other attributes are the caller's; a class of one's own may call them what it likes."""
    graph = made(one)
    graph.owner = "me"
    assert graph.owner == "me"

    class Mine(CompiledStateGraph):
        """A graph with a further attribute."""

    mine = Mine.__new__(Mine)
    mine.names = ["a"]
    assert mine.names == ["a"]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["checkpointer", "interrupt_before_nodes", "interrupt_after_nodes"])
def test_what_cannot_be_set(name: str) -> None:
    """What is no saver and no node is refused, as by `compile`."""
    graph = made(one)
    with pytest.raises((TypeError, ValueError), match="Invalid checkpointer|no node 'nobody'"):
        setattr(graph, name, ["nobody"])
    with pytest.raises((TypeError, ValueError), match="Invalid checkpointer|no node 'nobody'"):
        graph.copy({name: ["nobody"]})
    assert not getattr(graph, name)


def test_a_saver_that_is_set_later() -> None:
    """It saves the runs that start afterwards."""
    graph = made(one)
    graph.checkpointer = InMemorySaver()
    config: Any = {"configurable": {"thread_id": "1"}}
    graph.invoke({}, config)
    assert graph.get_state(config).created_at is not None
    graph.interrupt_before_nodes = "*"
    graph.invoke({}, config)
    assert graph.get_state(config).next == ("n0",)


@pytest.mark.parametrize(
    "name", ["nodes", "channels", "builder", "input_channels", "trigger_to_nodes", "stream_channels_list", "InputType"]
)
def test_what_follows_from_the_graph(name: str) -> None:
    """What the graph is made of is read-only."""
    with pytest.raises(FixedAttributeError, match=f"{name} of a compiled graph cannot be set") as raised:
        setattr(made(one), name, {})
    assert isinstance(raised.value, AttributeError)


@pytest.mark.parametrize(
    ("name", "right"),
    [("checkpointers", "checkpointer"), ("retry_policies", "retry_policy"), ("streammode", "stream_mode")],
)
def test_misspelt(name: str, right: str) -> None:
    """An attribute that resembles a setting is a mistake."""
    with pytest.raises(FixedAttributeError, match=f"Did you mean '{right}'"):
        setattr(made(one), name, None)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("stream_mode", "value", UnknownOptionError),
        ("stream_mode", [], UnknownOptionError),
        ("stream_mode", None, UnknownOptionError),
        ("stream_channels", ["z"], UnknownOptionError),
        ("output_channels", "z", UnknownOptionError),
        ("output_channels", None, UnknownOptionError),
        ("step_timeout", 0, UnknownOptionError),
        ("step_timeout", "1", UnknownOptionError),
        ("retry_policy", 3, TypeError),
        ("cache_policy", 3, TypeError),
        ("cache", object(), TypeError),
        ("context_schema", "User", TypeError),
        ("config", {"tags": "t"}, UnknownOptionError),
        ("debug", "yes", TypeError),
        ("name", None, TypeError),
        ("stream_eager", 1, TypeError),
        ("stream_transformers", [1], TypeError),
    ],
)
def test_wrong_values(name: str, value: object, error: type) -> None:
    """A value that cannot work is refused when it is set, and the setting stays as it was."""
    graph = made(one)
    before = getattr(graph, name)
    with pytest.raises(error):
        setattr(graph, name, value)
    assert getattr(graph, name) == before
    assert graph.invoke({}) == {"x": [1], "y": 2}
