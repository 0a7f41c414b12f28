"""Building graphs: everything that can be a node, what is injected by name, edges and branches."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from typing import Any, Callable, Optional

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    RunnableConfig,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)

from streamgraph import END, START, MessagesState, Runtime, StateGraph, StreamWriter, get_stream_writer
from streamgraph.runtime import get_runtime
from support.list_graphs import State, both, chat, collected, drivers, line, texts
from support.models import TEXT, scripted


def function(state):
    return {"x": ["function"]}


async def coroutine(state):
    await asyncio.sleep(0)
    return {"x": ["coroutine"]}


class Things:
    def method(self, state):
        return {"x": ["method"]}

    async def amethod(self, state):
        return {"x": ["amethod"]}

    @classmethod
    def of_class(cls, state):
        return {"x": ["of_class"]}

    @staticmethod
    def of_nobody(state):
        return {"x": ["of_nobody"]}


class Callable_:
    def __call__(self, state):
        return {"x": ["callable"]}


class Awaitable_:
    async def __call__(self, state):
        return {"x": ["awaitable"]}


def told(text, state):
    return {"x": [text]}


async def atold(text, state):
    return {"x": [text]}


async def pieces(given):
    async for _ in given:
        yield {"x": ["async generator Runnable"]}


wrapped = RunnableLambda(function)
awrapped = RunnableLambda(coroutine)

NODES = {
    "function": function,
    "coroutine": coroutine,
    "lambda": lambda state: {"x": ["lambda"]},
    "method": Things().method,
    "amethod": Things().amethod,
    "of_class": Things.of_class,
    "of_nobody": Things.of_nobody,
    "callable": Callable_(),
    "awaitable": Awaitable_(),
    "partial": functools.partial(told, "partial"),
    "apartial": functools.partial(atold, "apartial"),
    "Runnable": wrapped | (lambda update: {"x": ["Runnable"]}),
    "async Runnable": awrapped | (lambda update: {"x": ["async Runnable"]}),
    "bound": (awrapped | (lambda update: {"x": ["bound"]})).with_config(tags=["t"]),
    "dict": {"x": lambda state: ["dict"], "p": RunnablePassthrough() | (lambda state: None)},
    "async dict": {"x": awrapped | (lambda update: ["async dict"])},
    "parallel": RunnableParallel(x=lambda state: ["parallel"]),
    "async generator Runnable": RunnableGenerator(pieces),
    "graph": line(lambda state: {"x": ["graph"]}, output_schema=State),
    "async graph": line(awrapped | (lambda update: {"x": ["async graph"]})),
}


@pytest.mark.parametrize("name", NODES)
def test_nodes(name):
    """Each kind of node runs in sync and async streams and in `invoke`."""
    graph = line(("n", NODES[name]))
    (chunk,) = both(graph, {"x": []})
    assert chunk["n"]["x"] == [name]
    assert graph.invoke({"x": []})["x"] == [name]


@pytest.mark.parametrize(
    ("node", "name"),
    [
        (function, "function"),
        (coroutine, "coroutine"),
        (Things().method, "method"),
        (Callable_(), "Callable_"),
        (functools.partial(told, "partial"), "told"),
        (wrapped, "function"),
        (wrapped.with_config(run_name="named"), "function"),
        (line(function), "LangGraph"),
        (StateGraph(State).add_node(function).set_entry_point("function").compile(name="inner"), "inner"),
    ],
)
def test_names(node, name):
    """A node that is given no name takes that of what it is."""
    graph = StateGraph(State).add_node(node).add_edge(START, name).compile()
    assert list(graph.nodes) == [START, name]  # LangGraph's name for the start is among them, and tests look for it


def test_a_chain_with_a_model():
    """A prompt, a model and a parser are a node, and its tokens are streamed."""
    chain = ChatPromptTemplate.from_template("about {p}") | scripted() | StrOutputParser() | (lambda text: {"q": text})
    graph = line(("ask", chain))
    assert graph.invoke({"p": "ice"})["q"] == TEXT
    for chunks in drivers(graph, {"p": "ice"}, stream_mode="messages").values():
        assert "".join(texts(chunks)) == TEXT


# --- generator functions ----------------------------------------------------------------------------------------


def returned(state):
    yield "to"
    yield {"progress": 1}
    yield AIMessageChunk(" you")
    yield 5
    return {"x": ["returned"]}


def last_mapping(state):
    yield "to"
    yield {"progress": 1}
    yield AIMessageChunk(" you")
    yield {"x": ["last_mapping"]}
    yield 5


async def alast_mapping(state):
    yield "to"
    await asyncio.sleep(0)
    yield {"progress": 1}
    yield AIMessageChunk(" you")
    yield {"x": ["alast_mapping"]}
    yield 5


@pytest.mark.parametrize("node", [returned, last_mapping, alast_mapping], ids=lambda node: node.__name__)
def test_generators(node):
    """Strings and message chunks are tokens of one message, other yields custom data; the update is the last word."""
    graph = line(node)
    update = {"x": [node.__name__]}
    custom = [{"progress": 1}, 5] if node is returned else [{"progress": 1}, update, 5]
    assert both(graph, {"x": []}, stream_mode=["custom", "updates"]) == [
        *(("custom", item) for item in custom),
        ("updates", {"n0": update}),
    ]
    assert graph.invoke({"x": []}) == update
    for chunks in drivers(graph, {"x": []}, stream_mode="messages").values():
        assert texts(chunks) == ["to", " you"]
        assert len({message.id for message, _ in chunks}) == 1
        assert {metadata["langgraph_node"] for _, metadata in chunks} == {"n0"}


def test_generator_method_with_injection():
    """A generator may be a method, a callable object or a partial, and gets what it names."""

    class Holder:
        def steps(self, state, writer):
            writer("w")
            yield 1
            return {"x": ["steps"]}

        async def __call__(self, state, *, config):
            yield config["metadata"]["langgraph_node"]
            yield {"x": ["call"]}

    def prefixed(prefix, state, runtime):
        yield prefix
        return {"x": [runtime.context]}

    graph = line(Holder().steps, Holder(), functools.partial(prefixed, 7))
    assert both(graph, {}, context="c", stream_mode="custom") == ["w", 1, {"x": ["call"]}, 7]
    assert graph.invoke({}, context="c") == {"x": ["steps", "call", "c"]}


@pytest.mark.parametrize("yields", [[], ["only", "text"], [1, 2]])
def test_generator_without_an_update(yields):
    """A generator that yields no mapping and returns nothing writes nothing."""

    def node(state):
        yield from yields

    assert both(line(node), {}) == [{"n0": None}]


def test_generator_that_fails():
    """What was yielded before an error is delivered."""

    def node(state):
        yield 1
        raise KeyError("mine")

    stream = line(node).stream({}, stream_mode="custom")
    assert next(stream) == 1
    with pytest.raises(KeyError, match="mine"):
        next(stream)


# --- injection --------------------------------------------------------------------------------------------------


def by_annotation(
    state: State,
    config: Optional[RunnableConfig] = None,
    writer: Callable[[Any], None] = print,
    runtime: Optional[Runtime[str]] = None,
    store: Any = "unset",
):
    writer("wrote")
    return {"x": [config["metadata"]["langgraph_node"], runtime.context, store, runtime.store, runtime.previous]}


def by_odd_annotation(state: State, config: str, writer: Nowhere, runtime: int, store: Nowhere | None):  # noqa: F821
    writer("wrote")
    return {"x": [config["metadata"]["langgraph_node"], runtime.context, store, runtime.store, runtime.previous]}


def without_annotation(state, *, store, config, writer, runtime, previous="unset", other="default"):
    writer("wrote")
    assert (previous, other) == (None, "default")
    return {"x": [config["metadata"]["langgraph_node"], runtime.context, store, runtime.store, runtime.previous]}


async def by_await(state, writer: StreamWriter, config: RunnableConfig, runtime: Runtime, store=None):
    await asyncio.sleep(0)
    runtime.stream_writer("wrote")
    return {"x": [config["metadata"]["langgraph_node"], runtime.context, store, runtime.store, runtime.previous]}


@pytest.mark.parametrize(
    "node", [by_annotation, by_odd_annotation, without_annotation, by_await], ids=lambda node: node.__name__
)
def test_injection(node):
    """Parameters are filled in by their names, whatever their annotations are."""
    graph = StateGraph(State).add_node("n", node).add_edge(START, "n").compile(store="the store")
    assert both(graph, {}, context="the context", stream_mode=["custom", "updates"]) == [
        ("custom", "wrote"),
        ("updates", {"n": {"x": ["n", "the context", "the store", "the store", None]}}),
    ]


def test_injection_into_branches_methods_and_partials():
    """Branch functions, methods, callable objects and partials get what they name, too."""

    class Holder:
        def method(self, state, writer):
            writer("method")

        def __call__(self, state, writer):
            writer("call")

    def partial(given, state, writer):
        writer(given)

    def choose(state, writer, config):
        writer(config["metadata"]["langgraph_node"])
        return END

    builder = StateGraph(State).add_sequence(
        [("a", Holder().method), ("b", Holder()), ("c", functools.partial(partial, 5))]
    )
    graph = builder.set_entry_point("a").add_conditional_edges("c", choose).compile()
    assert both(graph, {}, stream_mode="custom") == ["method", "call", 5, "c"]


def test_first_parameter_is_always_the_state():
    """A first parameter with one of the names is the state all the same."""
    assert line(lambda config: {"x": [sorted(config)]}).invoke({"p": 1})["x"] == [["p", "x"]]


def test_asked_for_inside():
    """What is injected can also be asked for inside of a node."""

    def node(state):
        get_stream_writer()("wrote")
        return {"x": [get_runtime().context, get_runtime().store]}

    graph = StateGraph(State).add_node("n", node).set_entry_point("n").compile(store=5)
    assert both(graph, {}, context=6, stream_mode=["custom", "updates"]) == [
        ("custom", "wrote"),
        ("updates", {"n": {"x": [6, 5]}}),
    ]


@dataclass
class Context:
    user: str
    level: int = 1


@pytest.mark.parametrize("given", [Context("ann"), {"user": "ann"}])
def test_context(given):
    """A context may be given as the object or as a dict of its fields; nested graphs see it."""
    seen = []

    def node(state, runtime: Runtime[Context]):
        seen.append(runtime.context)

    inner = line(node)
    graph = line(node, inner, lambda state: inner.invoke({}), context_schema=Context)
    graph.invoke({}, context=given)
    assert seen == [Context("ann")] * 3


def test_context_with_wrong_keys():
    """A context that does not fit its schema fails at the call."""
    with pytest.raises(TypeError, match="usr"):
        line(function, context_schema=Context).stream({}, context={"usr": "ann"})


def test_no_context():
    """Without a context there is none."""
    assert line(lambda state, runtime: {"x": [runtime.context]}).invoke({}) == {"x": [None]}


def test_node_metadata():
    """A node's metadata is in its config and in that of what runs in it."""
    seen = {}

    def node(state, config):
        seen.update(config["metadata"])
        return RunnableLambda(lambda given, config: {"p": config["metadata"]["who"]}).invoke(state)

    graph = StateGraph(State).add_node("n", node, metadata={"who": "n"}).set_entry_point("n").compile()
    assert graph.invoke({})["p"] == "n"
    assert seen["who"] == "n"


def test_messages_in_a_model_node():
    """The usual chat node: the model as a step, its message as the update."""
    graph = chat(lambda state: {"messages": [scripted().invoke(state["messages"])]})
    assert [message.content for message in graph.invoke({"messages": "hi"})["messages"]] == ["hi", TEXT]
    assert len(collected(graph, {"messages": "hi"}, stream_mode="updates")) == 1
    assert MessagesState.__annotations__.keys() == {"messages"}
