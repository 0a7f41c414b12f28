"""Copies, subscripted classes, what builders and graphs show of themselves, and arguments that have no effect yet."""

from __future__ import annotations

import asyncio
import copy
import operator
import pickle
from dataclasses import dataclass, replace
from typing import Any, Generic, Optional, get_args, get_origin

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from typing_extensions import Annotated, TypedDict, TypeVar

import streamgraph.graph.state as state_module
from streamgraph import END, START, CompiledStateGraph, StateGraph
from streamgraph.errors import UnknownKeywordError, UnknownOptionError
from streamgraph.managed import IsLastStep, RemainingSteps
from streamgraph.types import Command, RetryPolicy, Send
from support.list_graphs import State, both, collected, line

CALLS = ["stream", "astream", "invoke", "ainvoke"]


def put(name):
    """A node that appends its name."""
    return name, lambda state: {"x": [name]}


def called(kind, graph, **options):
    """Call a method of a graph and pull what it returns."""
    if kind == "astream":
        return collected(graph, {}, **options)
    made = getattr(graph, kind)({}, **options)
    return asyncio.run(made) if kind == "ainvoke" else list(made) if kind == "stream" else made


# --- generic classes --------------------------------------------------------------------------------------------


class Other(TypedDict):
    """Another state."""

    z: int


def test_subscripted_builder():
    """A builder may be made of the subscripted class, with one parameter up to all of them."""
    for made in (
        StateGraph[State](State),
        StateGraph[State, None](State),
        StateGraph[State, Other, State, State](State, Other),
        StateGraph[State, None, State, Other](State, output_schema=Other),
    ):
        assert isinstance(made, StateGraph)
        graph = made.add_node(*put("a")).add_edge(START, "a").compile()
        assert isinstance(graph, CompiledStateGraph)
        assert graph.invoke({}, output_keys="x") == ["a"]


def test_subscripted_classes():
    """Both classes can be subscripted wherever a type is wanted."""
    for kind in (StateGraph, CompiledStateGraph):
        hint = kind[State]
        assert get_origin(hint) is kind
        assert get_args(hint)[0] is State
        assert Optional[hint] is not None
    assert issubclass(CompiledStateGraph, Runnable)
    assert issubclass(CompiledStateGraph, Generic)


StateT = TypeVar("StateT")


class Named(CompiledStateGraph[State]):
    """A class of one's own, below a subscripted one."""


class Builder(StateGraph[StateT]):
    """A generic builder of one's own."""


def test_subclasses():
    """Classes can be derived from subscripted ones."""
    assert issubclass(Named, CompiledStateGraph)
    assert Builder[State](State).add_node(*put("a")).add_edge(START, "a").compile().invoke({}) == {"x": ["a"]}


def test_subscripted_command():
    """`Command[Literal[...]]` as an annotation is the class; made through it, a command is a command."""
    assert get_origin(Command[str]) is Command
    assert Command[str](goto="a") == Command(goto="a")


def test_module():
    """The compiled class is where LangGraph has it, too."""
    assert state_module.CompiledStateGraph is CompiledStateGraph


# --- copies -----------------------------------------------------------------------------------------------------


class Names(BaseCallbackHandler):
    """Notes the names of the runs that it is told of, the graph's first."""

    def __init__(self) -> None:
        self.names = []

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        self.names.append(kwargs.get("name"))


def traced(graph):
    """The names of the runs of a graph in its traces."""
    handler = Names()
    graph.invoke({}, {"callbacks": [handler]})
    return handler.names


def test_copy():
    """A copy is another object that does the same."""
    graph = line(put("a")).with_config(tags=["t"])
    for made in (graph.copy(), graph.copy({}), graph.copy(None), graph.copy(update={}), copy.copy(graph)):
        assert made is not graph
        assert type(made) is type(graph)
        assert (made.name, made.config, made.builder) == (graph.name, graph.config, graph.builder)
        assert made.invoke({}) == graph.invoke({}) == {"x": ["a"]}


def test_copy_with_another_name():
    """A copy may have another name; the original keeps its own."""
    graph = line(put("a"))
    made = graph.copy(update={"name": "mine"})
    assert (made.name, made.get_name(), graph.name, graph.get_name()) == ("mine", "mine", "LangGraph", "LangGraph")
    assert "mine" in repr(made)
    assert graph.copy({"name": "mine"}).name == "mine"


def test_name_of_a_copy_in_traces():
    """Its name is the one that its runs have in traces."""
    graph = line(put("a"))
    assert traced(graph)[0] == "LangGraph"
    assert traced(graph.copy(update={"name": "mine"}))[0] == "mine"


def test_name_of_a_copy_as_a_node():
    """And the one that it has as a node."""
    inner = line(put("a")).copy(update={"name": "mine"})
    builder = StateGraph(State).add_node(inner).add_edge(START, "mine")
    assert both(builder.compile(), {}) == [{"mine": {"x": ["a"]}}]


def test_copy_with_other_attributes():
    """Store, debug and config can be others in a copy as well."""
    seen = []
    graph = line(("a", lambda state, store: seen.append(store)))
    graph.copy({"store": "mine"}).invoke({})
    graph.invoke({})
    assert seen == ["mine", None]
    tagged = graph.copy({"config": {"tags": ["t"]}})
    assert (tagged.config, graph.config) == ({"tags": ["t"]}, None)


# --- what they show of themselves -------------------------------------------------------------------------------


class Managed(TypedDict):
    """A state with computed keys."""

    x: Annotated[list, operator.add]
    plain: int
    left: RemainingSteps
    last: IsLastStep


class Private(TypedDict):
    """What one node sees besides."""

    hidden: int


def test_channels_and_managed():
    """Builder and graph tell the keys of the state, those of single nodes included, and what is computed."""

    def node(state: Private):
        """A node with an input of its own."""

    builder = StateGraph(Managed)
    assert list(builder.channels) == ["x", "plain"]
    assert set(builder.managed) == {"left", "last"}
    builder.add_node("a", node, input_schema=Private).add_edge(START, "a")
    graph = builder.compile()
    assert list(builder.channels) == list(graph.channels) == ["x", "plain", "hidden"]
    for channels in (builder.channels, graph.channels):
        with pytest.raises(TypeError):
            channels["more"] = channels["x"]


def test_channels_after_compile():
    """What is added to the builder later is not in the graph."""
    builder = StateGraph(Managed).add_node(*put("a")).add_edge(START, "a")
    graph = builder.compile()
    builder.add_node("b", lambda state: None, input_schema=Private)
    assert ("hidden" in builder.channels, "hidden" in graph.channels) == (True, False)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (Command(), "Command()"),
        (Command(goto="a"), "Command(goto='a')"),
        (Command(goto=["a", "b"]), "Command(goto=['a', 'b'])"),
        (Command(update={"x": 1}), "Command(update={'x': 1})"),
        (Command(update={"x": 1}, goto="a"), "Command(update={'x': 1}, goto='a')"),
        (Command(graph=Command.PARENT, goto="a"), "Command(graph='__parent__', goto='a')"),
        (Command(goto=Send("a", 1)), "Command(goto=Send(node='a', arg=1))"),
        (Command(update=0), "Command(update=0)"),
    ],
    ids=str,
)
def test_command(command, text):
    """A command shows what it was given, and nothing else."""
    assert repr(command) == text
    assert command == replace(command)
    assert pickle.loads(pickle.dumps(command)) == command


def test_send():
    """Sends are equal if they send the same to the same; they show node and argument."""
    assert Send("a", {"x": 1}) == Send("a", {"x": 1})
    assert Send("a", 1) != Send("b", 1)
    assert Send("a", 1) != Send("a", 2)
    assert Send("a", 1) != ("a", 1)
    assert len({Send("a", 1), Send("a", 1), Send("b", 1)}) == 2
    assert repr(Send("a", 1)) == "Send(node='a', arg=1)"
    assert Send(node="a", arg=AIMessage("x", id="m")) == Send("a", AIMessage("x", id="m"))
    with pytest.raises(AttributeError):
        Send("a", 1).node = "b"


# --- arguments without effect -----------------------------------------------------------------------------------


def builder():
    """A builder of two nodes."""
    return StateGraph(State).add_node(*put("a")).add_node(*put("b")).add_edge(START, "a").add_edge("a", "b")


@pytest.mark.parametrize(
    "options",
    [
        {"checkpointer": None, "interrupt_before": None, "interrupt_after": None},
        {"checkpointer": False, "interrupt_before": [], "interrupt_after": ()},
        {"store": None, "cache": None, "debug": False, "name": None},
    ],
    ids=str,
)
def test_compile_with_nothing(options):
    """Arguments of LangGraph that say nothing are fine, as is `checkpointer` by its place."""
    assert builder().compile(**options).invoke({}) == {"x": ["a", "b"]}
    assert builder().compile(None).invoke({}) == {"x": ["a", "b"]}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("checkpointer", object(), TypeError),
        ("interrupt_before", ["nobody"], UnknownOptionError),
        ("interrupt_after", "nobody", UnknownOptionError),
    ],
)
def test_compile_with_what_is_not_there(name, value, error):
    """What is no saver and no node is refused when it is written down."""
    with pytest.raises(error, match="Invalid checkpointer" if name == "checkpointer" else "no node 'nobody'"):
        builder().compile(**{name: value})


def test_compile_with_a_checkpointer_by_its_place():
    """So is what is given without its name."""
    with pytest.raises(TypeError, match="Invalid checkpointer"):
        builder().compile(object())


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("durability", ["sync", "async", "exit", None])
def test_call_with_nothing(kind, durability):
    """A call takes LangGraph's arguments as well; without a checkpointer nothing is saved, however durable."""
    graph = builder().compile()
    options = {"durability": durability, "interrupt_before": None, "interrupt_after": None}
    assert called(kind, graph, **options) == called(kind, graph)


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("name", ["interrupt_before", "interrupt_after"])
@pytest.mark.parametrize("value", [["nobody"], ("nobody",)], ids=str)
def test_call_with_what_is_not_there(kind, name, value):
    """And refuses nodes that do not exist, before anything is pulled."""
    graph = builder().compile()
    with pytest.raises(UnknownOptionError, match="no node 'nobody'"):
        made = getattr(graph, kind)({}, **{name: value})
        if kind == "ainvoke":
            asyncio.run(made)


def test_unknown_arguments():
    """What LangGraph does not have either is a mistake."""
    with pytest.raises(UnknownKeywordError, match="interrupt_before"):
        builder().compile(interupt_before=["a"])
    with pytest.raises(UnknownKeywordError, match="durability"):
        builder().compile().stream({}, durabilty="sync")


# --- debug ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("at_call", [None, False, True])
def test_debug(capsys, kind, compiled, at_call):
    """`debug` prints updates and values of every run; what the call says counts more than what `compile` was told."""
    graph = builder().compile(debug=compiled)
    assert graph.debug is compiled
    result = called(kind, graph, debug=at_call)
    printed = capsys.readouterr().out
    quiet = called(kind, builder().compile())
    assert result == quiet
    if compiled if at_call is None else at_call:
        assert "[updates] {'a': {'x': ['a']}}" in printed
        assert "[values] {'x': ['a', 'b']}" in printed
    else:
        assert printed == ""


def test_debug_of_a_copy(capsys):
    """A copy may be talkative where the original is not."""
    graph = builder().compile()
    graph.copy({"debug": True}).invoke({})
    assert "[values]" in capsys.readouterr().out
    graph.invoke({})
    assert capsys.readouterr().out == ""


@dataclass
class Data:
    """A state as a dataclass."""

    x: Annotated[list, operator.add]


def test_builder_options_that_say_nothing():
    """`add_node` takes `None` for whatever is not wanted."""
    made = StateGraph(Data, None, input_schema=None, output_schema=None)
    made.add_node("a", lambda state: {"x": ["a"]}, metadata=None, retry_policy=None, cache_policy=None, timeout=None)
    made.add_node("b", lambda state: None, retry_policy=[RetryPolicy()], destinations=None, error_handler=None)
    assert made.add_edge(START, "a").add_edge("a", "b").add_edge("b", END).compile().invoke({"x": []}) == {"x": ["a"]}
