"""`Pregel`: what all graphs have in common, and what is checked of a graph of nodes and channels."""

from __future__ import annotations

import asyncio
import operator
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, get_origin

import pytest
from langchain_core.runnables import Runnable
from typing_extensions import Annotated, TypedDict

from streamgraph import START, StateGraph
from streamgraph.channels import BinaryOperatorAggregate, EphemeralValue, LastValue, Topic
from streamgraph.errors import (
    EmptyInputError,
    GraphBuildError,
    InvalidUpdateError,
    NotSupportedError,
    UnknownKeyWarning,
    UnknownKeywordError,
    UnknownNodeError,
    UnknownOptionError,
    UnknownRouteError,
)
from streamgraph.func import entrypoint
from streamgraph.graph.state import CompiledStateGraph
from streamgraph.pregel import ChannelWriteEntry, NodeBuilder, Pregel
from streamgraph.pregel._write import ChannelWriteTupleEntry
from streamgraph.pregel.protocol import PregelProtocol, StreamProtocol
from streamgraph.pregel.remote import RemoteGraph
from streamgraph.types import Command, RetryPolicy, Send
from streamgraph.warnings import LangGraphDeprecatedSinceV10


class State(TypedDict):
    """One key."""

    log: Annotated[list, operator.add]


def compiled() -> Any:
    """A compiled graph."""
    return StateGraph(State).add_node("a", lambda state: {"log": ["a"]}).add_edge(START, "a").compile()


@entrypoint()
def workflow(value: int) -> str:
    """A number as text."""
    return str(value)


def plus(value: Any) -> Any:
    """One more."""
    return value + 1


def pregel(**options: Any) -> Any:
    """A graph of one node between two channels, with some options changed."""
    given: Dict[str, Any] = {
        "nodes": {"one": NodeBuilder().subscribe_only("input").do(plus).write_to("output")},
        "channels": {"input": LastValue(int), "output": LastValue(int), "log": Topic(str)},
        "input_channels": "input",
        "output_channels": "output",
    }
    return Pregel(**{**given, **options})


# --- what all graphs have in common -----------------------------------------------------------------------------------


def test_common_class() -> None:
    """Compiled graphs, workflows and graphs of nodes and channels are `Pregel`s, and follow the protocol."""
    for graph in (compiled(), workflow, pregel()):
        assert isinstance(graph, Pregel)
        assert isinstance(graph, PregelProtocol)
        assert isinstance(graph, Runnable)
        assert not isinstance(graph, RemoteGraph)
    assert not isinstance(pregel(), CompiledStateGraph)


def test_generic() -> None:
    """It can be subscripted with state, context, input and output, and made through that."""
    assert get_origin(Pregel[State, None, State, State]) is Pregel
    assert get_origin(CompiledStateGraph[State, None, State, State]) is CompiledStateGraph
    assert Optional[Pregel[Any, Any, Any, Any]] is not None
    made = Pregel[Any, Any, Any, Any](
        nodes={"one": NodeBuilder().subscribe_only("a").write_to("b")},
        channels={"a": LastValue(int), "b": LastValue(int)},
        input_channels="a",
        output_channels="b",
    )
    assert made.invoke(1) == 1


def test_attributes_of_all() -> None:
    """Each kind of graph says what its channels are."""
    state, flow, low = compiled(), workflow, pregel()
    assert (state.input_channels, state.output_channels, state.stream_channels) == (START, ["log"], ["log"])
    assert (flow.input_channels, flow.output_channels, flow.stream_channels) == (START, "__end__", "__end__")
    assert (low.input_channels, low.output_channels, low.stream_channels) == ("input", "output", None)
    assert [graph.stream_mode for graph in (state, flow, low)] == ["updates", "updates", "values"]
    assert low.stream_channels_list == low.stream_channels_asis == ["input", "output", "log"]
    assert dict(low.trigger_to_nodes) == {"input": ["one"]}
    assert list(flow.channels) == ["__end__", "__previous__"]
    for graph in (state, flow, low):
        assert (graph.step_timeout, graph.retry_policy, graph.cache_policy) == (None, (), None)
        assert (graph.checkpointer, graph.store, graph.cache, graph.config) == (None, None, None, None)
        assert graph.validate() is graph


def test_root_state() -> None:
    """A state of one value has the name of its one key."""
    graph = StateGraph(Annotated[list, operator.add]).add_node("a", lambda state: ["a"]).add_edge(START, "a").compile()
    assert (graph.output_channels, graph.stream_channels) == ("__root__", "__root__")
    assert graph.invoke(["x"]) == ["x", "a"]


def test_types() -> None:
    """The types of input and output are those of the schemas or channels."""
    assert (compiled().InputType, compiled().OutputType) == (State, State)
    assert (pregel().InputType, pregel().OutputType) == (int, int)
    both = pregel(input_channels=["input"], output_channels=["output", "log"])
    assert both.InputType == Dict[str, Any]
    assert list(both.get_output_jsonschema()["properties"]) == ["output", "log"]
    assert pregel().get_input_jsonschema() == {"title": "LangGraphInput", "type": "integer"}
    assert pregel().get_output_jsonschema() == {"title": "LangGraphOutput", "type": "integer"}


@dataclass
class User:
    """A context."""

    name: str


def test_schema_of_the_config() -> None:
    """The deprecated schema of the config has the context in it, and warns."""
    graph = pregel(context_schema=User)
    with pytest.warns(LangGraphDeprecatedSinceV10, match="`config_schema` is deprecated") as told:
        fields = graph.config_schema(include=["tags", "configurable", "nothing"]).model_fields
    assert sorted(fields) == ["configurable", "tags"]
    assert told[0].filename == __file__
    with pytest.warns(LangGraphDeprecatedSinceV10, match="`get_config_jsonschema` is deprecated"):
        assert list(graph.get_config_jsonschema()["properties"]) == ["configurable"]
    with pytest.warns(LangGraphDeprecatedSinceV10):
        assert compiled().get_config_jsonschema().get("properties", {}) == {}


def test_async_inspection() -> None:
    """Drawings and nested graphs can be awaited as well."""

    async def inner(state: State) -> Any:
        return {"log": [await workflow.ainvoke(1)]}

    graph = StateGraph(State).add_node("inner", inner).add_node("sub", compiled()).add_edge(START, "inner").compile()

    async def main() -> List[Any]:
        assert await graph.aget_graph() == graph.get_graph()
        return [pair async for pair in graph.aget_subgraphs(recurse=True)]

    found = asyncio.run(main())
    assert [name for name, _ in found] == ["inner", "sub"]
    assert found == list(graph.get_subgraphs(recurse=True))


# --- nodes ------------------------------------------------------------------------------------------------------------


def test_nodes_of_a_compiled_graph() -> None:
    """A node says what it runs and reads, and can be run alone, as LangGraph's documentation shows for tests."""
    seen: List[object] = []

    async def later(state: State) -> State:
        return {"log": ["later"]}

    def note(state: State, writer: Any) -> State:
        seen.append(writer)
        return {"log": ["note"]}

    builder = StateGraph(State).add_node("note", note, metadata={"owner": "me"}, retry_policy=RetryPolicy())
    graph = builder.add_node("later", later).add_node("sub", compiled()).add_edge(START, "note").compile()
    assert list(graph.nodes) == [START, "note", "later", "sub"]
    assert dict(graph.trigger_to_nodes)[START] == [START]
    node = graph.nodes["note"]
    assert node.invoke({"log": []}) == {"log": ["note"]}
    assert asyncio.run(graph.nodes["later"].ainvoke({"log": []})) == {"log": ["later"]}
    assert list(node.stream({"log": []})) == [{"log": ["note"]}]
    assert len(seen) == 2
    assert (node.channels, node.triggers) == (["log"], ["branch:to:note"])
    assert (node.metadata, node.retry_policy) == ({"owner": "me"}, (RetryPolicy(),))
    assert isinstance(graph.nodes["sub"].bound, CompiledStateGraph)
    assert graph.nodes["sub"].subgraphs == (graph.nodes["sub"].bound,)
    assert graph.nodes["note"] is node
    assert list(workflow.nodes) == ["workflow"]
    assert workflow.nodes["workflow"].invoke(3) == "3"


def test_error_handlers() -> None:
    """The names under which error handlers run are known; a node of a `Pregel` may handle another one's failure."""
    builder = StateGraph(State).add_node("a", lambda state: 1 / 0, error_handler=lambda state: {"log": ["handled"]})
    assert dict(builder.add_edge(START, "a").compile().node_error_handler_map) == {"a": "__error_handler__a"}

    def rescue(given: int, error: Any) -> str:
        return f"{type(error.error).__name__} of {error.node} with {given}"

    graph = pregel(
        nodes={
            "one": NodeBuilder().subscribe_only("input").do(lambda value: 1 / 0).write_to("output"),
            "rescue": NodeBuilder().do(rescue).write_to("output"),
        },
        node_error_handler_map={"one": "rescue"},
    )
    assert graph.invoke(5) == "ZeroDivisionError of one with 5"


# --- what is checked --------------------------------------------------------------------------------------------------


def node(**said: Any) -> Any:
    """A node with one thing wrong."""
    builder = NodeBuilder().subscribe_to("input")
    for method, argument in said.items():
        getattr(builder, method)(argument)
    return {"nodes": {"one": builder}}


@pytest.mark.parametrize(
    ("options", "where", "right"),
    [
        (node(subscribe_to="inputs"), "Node 'one' is subscribed to channel 'inputs'", "input"),
        (node(read_from="outptu"), "Node 'one' reads channel 'outptu'", "output"),
        (node(write_to="ouput"), "Node 'one' writes to channel 'ouput'", "output"),
        (node(write_to=ChannelWriteEntry("lgo")), "Node 'one' writes to channel 'lgo'", "log"),
        ({"input_channels": "inptu"}, "input_channels has channel 'inptu'", "input"),
        ({"input_channels": ["input", "ouptut"]}, "input_channels has channel 'ouptut'", "output"),
        ({"output_channels": "outputs"}, "Unknown output key 'outputs'", "output"),
        ({"output_channels": ["lgo"]}, "Unknown output key 'lgo'", "log"),
        ({"stream_channels": ["lgo"]}, "Unknown output key 'lgo'", "log"),
        ({"stream_mode": "value"}, "Unknown stream mode 'value'", "values"),
    ],
)
def test_unknown_channels(options: Dict[str, Any], where: str, right: str) -> None:
    """A name that is no channel's is an error when the graph is made, with the closest right name."""
    with pytest.raises(UnknownOptionError, match=where) as raised:
        pregel(**options)
    assert f"Did you mean '{right}'?" in str(raised.value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (node(write_to=Send("oen", 1)), UnknownNodeError, "sends to 'oen'.*Did you mean 'one'"),
        ({"node_error_handler_map": {"one": "on"}}, UnknownNodeError, "Did you mean 'one'"),
        ({"input_channels": "output"}, GraphBuildError, "No node is subscribed to the input: 'output'"),
        ({"input_channels": ["log", "output"]}, GraphBuildError, "No node is subscribed to the input"),
        ({"channels": {"__pregel_tasks": Topic(Send)}}, GraphBuildError, "'__pregel_tasks' of a channel is reserved"),
        ({"nodes": {"__error__": NodeBuilder().subscribe_only("input")}}, GraphBuildError, "of a node is reserved"),
        ({"trigger_to_nodes": {"output": ["one"]}}, GraphBuildError, "which is not subscribed to it"),
        ({"nodes": {"one": plus}}, TypeError, "give a NodeBuilder"),
        ({"nodes": [NodeBuilder()]}, TypeError, "give a dict of names and NodeBuilders"),
        (
            {"channels": {"input": int}},
            TypeError,
            r"'input' is .*give a channel object, such as LastValue",
        ),
        ({"channels": {"input": LastValue}}, TypeError, "give a channel object"),
        ({"channels": [LastValue(int)]}, TypeError, "give a dict of names and channels"),
        ({"input_channels": 1}, TypeError, "input_channels is 1"),
        ({"output_channels": None}, TypeError, "output_channels is None"),
        ({"stream_channels": [1]}, TypeError, r"stream_channels is \[1\]"),
        ({"retry_policy": 1}, TypeError, "retry_policy is 1"),
        ({"checkpointer": object()}, TypeError, "Invalid checkpointer"),
        ({"interrupt_before_nodes": ["two"]}, UnknownOptionError, "no node 'two'"),
        ({"interrupt_after_nodes": "two"}, UnknownOptionError, "no node 'two'"),
        ({"output_channel": "output"}, UnknownKeywordError, "Did you mean 'output_channels'"),
    ],
)
def test_refused(options: Dict[str, Any], error: type, message: str) -> None:
    """What cannot work is refused when the graph is made."""
    with pytest.raises(error, match=message):
        pregel(**options)


def test_validated_later() -> None:
    """Without `auto_validate` it is checked by `validate`, or by the first run."""
    graph = pregel(**node(write_to="ouput"), auto_validate=False)
    with pytest.raises(UnknownOptionError, match="ouput"):
        graph.validate()
    with pytest.raises(UnknownOptionError, match="ouput"):
        graph.invoke(1)


# --- runs -------------------------------------------------------------------------------------------------------------


def test_input() -> None:
    """An input has a value for at least one of the channels; what resembles a channel's name is told."""
    graph = pregel(input_channels=["input", "log"])
    assert graph.invoke({"input": 1}) == 2
    for nothing in (None, {}):
        with pytest.raises(EmptyInputError, match="Received no input"):
            graph.invoke(nothing)
    with pytest.raises(EmptyInputError):
        pregel().invoke(None)
    with pytest.raises(InvalidUpdateError, match="Expected dict, got 1"):
        graph.invoke(1)
    with pytest.warns(UnknownKeyWarning, match="Did you mean 'log'"):
        assert graph.invoke({"input": 1, "logs": 2}) == 2


def test_command_as_input() -> None:
    """A command updates channels, and may start nodes."""
    graph = pregel(
        nodes={
            "one": NodeBuilder().subscribe_only("input").do(plus).write_to("output"),
            "two": NodeBuilder().do(plus).write_to("log"),
        },
        output_channels=["output", "log"],
    )
    assert graph.invoke(Command(update={"input": 1}, goto=Send("two", 5))) == {"output": 2, "log": [6]}


def test_wrong_writes() -> None:
    """What is only known when a node has run is checked then."""

    def writing(*pairs: Any) -> Any:
        entry = ChannelWriteTupleEntry(lambda result: pairs)
        return pregel(nodes={"one": NodeBuilder().subscribe_only("input").write_to(entry)})

    with pytest.raises(InvalidUpdateError, match="has written to channel 'ouput'.*Did you mean 'output'"):
        writing(("ouput", 1)).invoke(1)
    with pytest.raises(UnknownRouteError, match="Did you mean 'one'"):
        writing(("__pregel_tasks", Send("oen", 1))).invoke(1)
    with pytest.raises(InvalidUpdateError, match="takes a Send"):
        writing(("__pregel_tasks", 1)).invoke(1)


def test_runs_share_nothing() -> None:
    """Channels that a graph was made with stay empty, and each run has channels of its own."""
    total = BinaryOperatorAggregate(list, operator.add)
    one = NodeBuilder().subscribe_only("input").do(lambda value: [value]).write_to("total")
    channels = {"input": EphemeralValue(int), "total": total}
    graph = pregel(nodes={"one": one}, channels=channels, output_channels="total")
    assert [graph.invoke(number) for number in (1, 2)] == [[1], [2]]
    assert graph.batch([3, 4]) == [[3], [4]]
    assert total.get() == []
    assert graph.channels == channels


def test_output_of_a_stream() -> None:
    """The output of a stream is what `invoke` returns, whatever it shows."""
    for options in ({}, {"stream_mode": "updates"}, {"stream_mode": "tasks"}):
        stream = pregel().stream(1, **options)
        assert len(list(stream)) > 0
        assert stream.output == 2
    stream = pregel(stream_channels=["log"]).stream(1)
    assert list(stream) == []
    assert stream.output == 2


def test_async_nodes_in_sync_runs() -> None:
    """A sync run awaits async nodes, alone and after others."""

    async def later(value: int) -> int:
        return value + 1

    graph = pregel(nodes={"one": NodeBuilder().subscribe_only("input").do(later).write_to("output")})
    assert graph.invoke(1) == 2
    assert asyncio.run(graph.ainvoke(1)) == 2
    several = pregel(nodes={"one": NodeBuilder().subscribe_only("input").do(plus).do(later).write_to("output")})
    assert asyncio.run(several.ainvoke(1)) == 3


def test_drawing() -> None:
    """Nodes are connected by the channels that one writes and another is subscribed to."""
    graph = pregel(
        nodes={
            "one": NodeBuilder().subscribe_only("input").do(plus).write_to("between", total=plus),
            "two": NodeBuilder().subscribe_to("between").do(compiled()).write_to(Send("three", 1)),
            "three": NodeBuilder().subscribe_to("total").write_to("output"),
        },
        channels={name: LastValue(int) for name in ("input", "between", "total", "output")},
    )
    drawn = graph.get_graph()
    assert list(drawn.nodes) == [START, "one", "two", "three", "__end__"]
    edges = {(edge.source, edge.target) for edge in drawn.edges}
    assert edges == {
        (START, "one"), ("one", "two"), ("one", "three"), ("two", "three"), ("three", "__end__")
    }  # fmt: skip
    assert "two:a" in graph.get_graph(xray=True).nodes


def test_stream_protocol() -> None:
    """It is called like the function that it was made of."""
    taken: List[Any] = []
    stream = StreamProtocol(taken.append, {"values"})
    stream.__call__(((), "values", 1))
    assert taken == [((), "values", 1)]
    assert stream.modes == {"values"}


def test_remote_graph() -> None:
    """A client of a server cannot be made."""
    with pytest.raises(NotSupportedError, match="langgraph.pregel.remote.RemoteGraph"):
        RemoteGraph("agent", url="http://localhost")


def test_deprecated_home_of_types() -> None:
    """The types are at their former place, under a warning."""
    import streamgraph.pregel.types as former

    with pytest.warns(LangGraphDeprecatedSinceV10, match="from streamgraph.types import RetryPolicy"):
        assert former.RetryPolicy is RetryPolicy
    with pytest.raises(AttributeError):
        former.Nothing  # noqa: B018  (reading it is the test)
