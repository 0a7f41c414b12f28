"""Runnables made of a sync and an async function."""

from __future__ import annotations

import asyncio
import pickle
import threading
from operator import add

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from typing_extensions import Annotated, Literal, TypedDict

from streamgraph import END, START, StateGraph
from streamgraph.config import get_config, get_stream_writer
from streamgraph.errors import NodeError
from streamgraph.prebuilt import ToolNode
from streamgraph.runtime import Runtime
from streamgraph.types import Command, RetryPolicy
from streamgraph.utils.runnable import RunnableCallable
from support.list_graphs import State, both, chat, drivers, line, texts
from support.models import TEXT, scripted
from support.waiting import run


def put(state):
    return {"x": ["sync"]}


async def aput(state):
    return {"x": ["async"]}


class Heard(BaseCallbackHandler):
    """Notes the runs that it is told of, and how they end."""

    run_inline = True

    def __init__(self):
        self.events = []

    def on_chain_start(self, serialized, inputs, *, tags=None, name=None, **kwargs):
        self.events.append(("start", name, tuple(tag for tag in tags or () if ":" not in tag)))

    def on_chain_end(self, outputs, **kwargs):
        self.events.append(("end", outputs))

    def on_chain_error(self, error, **kwargs):
        self.events.append(("error", type(error)))


def names(heard):
    return [event[1] for event in heard.events if event[0] == "start"]


# ---- Outside of a graph


def test_two_sides():
    """`invoke` calls the one function, `ainvoke` the other."""
    both_sides = RunnableCallable(put, aput)
    assert both_sides.invoke({}) == {"x": ["sync"]}
    assert run(both_sides.ainvoke({})) == {"x": ["async"]}
    assert both_sides.batch([{}, {}]) == [{"x": ["sync"]}] * 2
    assert list(both_sides.stream({})) == [{"x": ["sync"]}]


@pytest.mark.parametrize("trace", [True, False])
def test_sync_only_is_awaited_in_a_thread(trace):
    """A function that blocks does not block the loop; the context goes along."""
    there = []

    def work(state):
        there.append((threading.get_ident(), get_config()["metadata"]["who"]))
        return state

    async def main():
        return await (RunnableCallable(work, trace=trace) | RunnablePassthrough()).ainvoke(
            1, {"metadata": {"who": "me"}}
        )

    assert run(main()) == 1
    ((thread, who),) = there
    assert thread != threading.get_ident()
    assert who == "me"


def test_async_only_is_refused_where_it_cannot_run():
    """Without a sync function, `invoke` says what to do. A coroutine function counts as the async one."""
    for only in (RunnableCallable(None, aput), RunnableCallable(aput)):
        assert (only.func, only.afunc) == (None, aput)
        with pytest.raises(TypeError, match='No synchronous function provided to "aput".*ainvoke'):
            only.invoke({})
        assert run(only.ainvoke({})) == {"x": ["async"]}


def test_bad_functions_are_refused():
    """No function, or something else, is refused when it is written down."""
    with pytest.raises(ValueError, match="At least one of func or afunc"):
        RunnableCallable(None)
    with pytest.raises(TypeError, match="needs functions, got 3"):
        RunnableCallable(3)
    with pytest.raises(TypeError, match="needs functions"):
        RunnableCallable(put, "aput")


def test_arguments_outside_of_a_graph():
    """Parameters get what there is, or their defaults; arguments that were given come first."""
    got = {}

    def wants(value, config, writer, runtime, store, previous, *, error=7, extra=0):
        got.update(config=config, runtime=runtime, store=store, previous=previous, error=error, extra=extra)
        writer("nobody reads this")
        return value

    assert RunnableCallable(wants, extra=1).invoke("v", {"metadata": {"a": 1}}) == "v"
    assert got["config"]["metadata"]["a"] == 1
    assert got["runtime"] == Runtime() or got["runtime"].context is None
    assert (got["store"], got["previous"], got["error"], got["extra"]) == (None, None, 7, 1)
    RunnableCallable(wants, extra=1, trace=False).invoke("v", extra=2, store="mine")
    assert (got["store"], got["extra"]) == ("mine", 2)
    assert RunnableCallable(lambda value, runtime="none", store="none": (runtime, store)).invoke(0) == ("none", "none")


def test_exploded_arguments():
    """The input is a pair of positional and keyword arguments; what is missing is filled in by name."""

    def wants(a, b, config=None, c=0):
        return a, b, c, config is not None

    async def awants(a, b, config=None, c=0):
        return a, b, c, config is not None

    spread = RunnableCallable(wants, awants, explode_args=True)
    assert spread.invoke(((1, 2), {"c": 3})) == (1, 2, 3, True)
    assert run(spread.ainvoke(((1,), {"b": 2}))) == (1, 2, 0, True)
    assert spread.invoke(((1, 2, None), {})) == (1, 2, 0, False)


@pytest.mark.parametrize("trace", [True, False])
@pytest.mark.parametrize("recurse", [True, False])
def test_recursion(recurse, trace):
    """A Runnable that the function returns gets the same input, unless that is switched off."""
    inner = RunnableLambda(lambda value: value + 1)

    async def choose(value):
        return inner

    outer = RunnableCallable(lambda value: inner, choose, recurse=recurse, trace=trace)
    assert outer.invoke(1) == (2 if recurse else inner)
    assert run(outer.ainvoke(1)) == (2 if recurse else inner)


def test_traces():
    """A call is a run of its own, with name and tags, and what runs inside is inside of it."""
    inner = RunnableLambda(put, name="inner")

    async def ainner(state):
        return await inner.ainvoke(state)

    outer = RunnableCallable(lambda state: inner.invoke(state), ainner, name="outer", tags=["t"])
    for call in (lambda config: outer.invoke({}, config), lambda config: asyncio.run(outer.ainvoke({}, config))):
        heard = Heard()
        call({"callbacks": [heard]})
        result = {"x": ["sync"]}
        assert heard.events[0] == ("start", "outer", ("t",))
        assert heard.events[-2:] == [("end", result), ("end", result)]
        heard = Heard()
        call({"callbacks": [heard], "run_name": "given"})
        assert names(heard)[0] == "given"


@pytest.mark.parametrize("trace", [True, False])
def test_untraced(trace):
    """Without a trace there is no run; the tags apply all the same."""
    seen = []

    def work(state):
        seen.append(get_config()["tags"])

    async def awork(state):
        await asyncio.sleep(0)
        seen.append(get_config()["tags"])

    heard = Heard()
    tagged = RunnableCallable(work, awork, trace=trace, tags=["t"])
    tagged.invoke({}, {"callbacks": [heard], "tags": ["u", "t"]})
    run(tagged.ainvoke({}, {"tags": ["u"]}))
    assert seen == [["u", "t"], ["u", "t"]]
    assert names(heard) == (["work"] if trace else [])


def test_errors_in_traces():
    """A failure is reported as one; a command for another graph is a result."""

    def fails(state):
        raise KeyError("no")

    async def afails(state):
        raise KeyError("no")

    failing = RunnableCallable(fails, afails)
    for call in (lambda config: failing.invoke({}, config), lambda config: asyncio.run(failing.ainvoke({}, config))):
        heard = Heard()
        with pytest.raises(KeyError):
            call({"callbacks": [heard]})
        assert heard.events == [("start", "fails", ()), ("error", KeyError)]


def test_a_cancelled_call_is_reported():
    """A call that is cancelled while it is awaited ends in traces as well."""
    heard = Heard()

    async def waits(state):
        await asyncio.Event().wait()

    async def main():
        task = asyncio.ensure_future(RunnableCallable(None, waits).ainvoke({}, {"callbacks": [heard]}))
        while not heard.events:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        return task.cancelled()

    assert run(main())
    assert heard.events == [("start", "waits", ()), ("error", asyncio.CancelledError)]


def test_looks():
    """It has a name, a `repr`, a drawing as part of a chain, and can be pickled."""
    assert RunnableCallable(put, aput).get_name() == RunnableCallable(None, put).get_name() == "put"
    assert RunnableCallable(put, name="given").get_name() == "given"
    assert RunnableCallable(lambda x: x).get_name() == "RunnableCallable"
    assert repr(RunnableCallable(put)).startswith("RunnableCallable('put', func=<function put")
    assert repr(RunnableCallable(put, tags=["t"])).endswith(", afunc=None, tags=['t'])")
    assert repr(ToolNode([])) == "ToolNode('tools', func=<method _func>, afunc=<method _afunc>)"
    drawn = (RunnableCallable(put) | RunnableLambda(lambda x: x, name="then")).get_graph()
    assert "put" in [node.name for node in drawn.nodes.values()]
    assert pickle.loads(pickle.dumps(RunnableCallable(put, aput))).invoke({}) == {"x": ["sync"]}


# ---- As nodes and branches

KINDS = {
    "plain": {},
    "untraced": {"trace": False},
    "tagged": {"tags": ["mine"]},
    "not recursing": {"recurse": False},
}


@pytest.mark.parametrize("kind", KINDS)
def test_nodes_stream_like_functions(kind):
    """Tokens, custom data and updates are those of the function, by both drivers, with and without a handler."""
    model = scripted()

    def call(state, writer, config):
        writer("custom")
        return {"messages": [model.invoke("hi")]}

    async def acall(state, writer, config):
        writer("custom")
        return {"messages": [await model.ainvoke("hi")]}

    node = RunnableCallable(call, acall, **KINDS[kind])
    for config in (None, {"callbacks": [Heard()]}):
        plain = drivers(chat(("n", call)), {"messages": "hi"}, config, stream_mode=["messages", "custom"])
        for chunks in drivers(
            chat(("n", node)), {"messages": "hi"}, config, stream_mode=["messages", "custom"]
        ).values():
            assert [mode for mode, _ in chunks] == [mode for mode, _ in plain["stream"]]
            assert "".join(texts([data for mode, data in chunks if mode == "messages"])) == TEXT
            tags = next(data[1]["tags"] for mode, data in chunks if mode == "messages")
            assert tags == KINDS[kind].get("tags", [])


@pytest.mark.parametrize("form", ["sync only", "async only", "generator", "async generator", "returned Runnable"])
@pytest.mark.parametrize("trace", [True, False])
def test_forms_of_nodes(form, trace):
    """A node of one side runs in runs of both kinds; generators stream what they yield."""

    def yields(state):
        yield "tok"
        yield "en"
        yield {"messages": []}

    async def ayields(state):
        yield "tok"
        yield "en"
        yield {"messages": []}

    def call(state):
        return {"messages": [scripted().invoke("hi")]}

    async def acall(state):
        return {"messages": [await scripted().ainvoke("hi")]}

    node = {
        "sync only": RunnableCallable(call, trace=trace),
        "async only": RunnableCallable(None, acall, trace=trace),
        "generator": RunnableCallable(yields, trace=trace),
        "async generator": RunnableCallable(None, ayields, trace=trace),
        "returned Runnable": RunnableCallable(lambda state: RunnableLambda(call), trace=trace),
    }[form]
    for chunks in drivers(chat(("n", node)), {"messages": "hi"}, stream_mode="messages").values():
        assert "".join(texts(chunks)) == ("token" if "generator" in form else TEXT)


def test_injection_in_nodes():
    """A node's parameters are filled in by name, for each of the two functions, beside the arguments it was given."""
    got = []

    def work(state, config, writer, runtime, store, previous, extra):
        got.append((config["metadata"]["langgraph_node"], runtime.context, store, previous, extra))
        writer("w")

    async def awork(state, *, runtime, extra):
        got.append((runtime.execution_info.task_id != "", runtime.context, extra))
        get_stream_writer()("w")

    builder = StateGraph(State, context_schema=dict).set_entry_point("n")
    builder.add_node("n", RunnableCallable(work, awork, extra=5))
    graph = builder.compile(store="the store")
    for callbacks in ([], [Heard()]):
        got.clear()
        chunks = drivers(graph, {"p": 1}, {"callbacks": callbacks}, stream_mode="custom", context={"k": 1})
        assert chunks == {"stream": ["w"], "astream": ["w"]}
        assert got == [("n", {"k": 1}, "the store", None, 5), (True, {"k": 1}, 5)]


def test_traced_nodes_in_traces():
    """With `trace`, the call is a run inside the node's; without it, it is the node's own."""
    for trace, expected in ((True, ["LangGraph", "n", "put"]), (False, ["LangGraph", "n"])):
        heard = Heard()
        line(("n", RunnableCallable(put, aput, trace=trace))).invoke({"x": []}, {"callbacks": [heard]})
        assert names(heard) == expected


def test_error_handlers_and_retries():
    """It can be a node's error handler, and is run again as any node is."""

    def fails(state):
        raise KeyError("no")

    def handles(state, error):
        assert isinstance(error, NodeError)
        return {"x": [type(error.error).__name__]}

    builder = StateGraph(State).set_entry_point("n")
    policy = RetryPolicy(max_attempts=2, initial_interval=0, retry_on=KeyError)
    builder.add_node("n", RunnableCallable(fails), retry_policy=policy, error_handler=RunnableCallable(handles))
    for config in (None, {"callbacks": [Heard()]}):
        assert builder.compile().invoke({"x": []}, config) == {"x": ["KeyError"]}


class Narrow(TypedDict):
    """A part of the state."""

    p: str


def test_branches_and_annotations():
    """A branch's targets are those of its function's annotation, and so is what it sees; a node sees all of it."""
    seen = []

    def route(state: Narrow) -> Literal["left", "right"]:
        seen.append(dict(state))
        return "left"

    async def aroute(state: Narrow) -> Literal["left", "right"]:
        seen.append(dict(state))
        return "left"

    def work(state: Narrow) -> Command[Literal["right"]]:
        seen.append(sorted(state))
        return {}

    builder = StateGraph(State).set_entry_point("a")
    builder.add_node("a", RunnableCallable(work)).add_node("left", put).add_node("right", put)
    builder.add_conditional_edges("a", RunnableCallable(route, aroute, trace=False))
    graph = builder.compile()
    both(graph, {"x": [], "p": "p"})
    assert seen == [["p", "x"], {"p": "p"}] * 2
    edges = {(edge.source, edge.target) for edge in graph.get_graph().edges}
    assert {("a", "left"), ("a", "right")} <= edges
    assert "a" in graph.get_graph().draw_mermaid()


def test_two_branches_without_names():
    """Two of the same name on one node are refused, as with functions."""
    graph = StateGraph(State).add_node("a", RunnableCallable(put)).set_entry_point("a")
    graph.add_conditional_edges("a", RunnableCallable(lambda state: END, name="one"), [END])
    graph.add_conditional_edges("a", RunnableCallable(lambda state: END, name="two"), [END])
    assert graph.compile().invoke({"x": []}) == {"x": ["sync"]}


def test_parent_commands():
    """A command for the graph around goes there, and is no failure for tracers."""

    def leave(state):
        return Command(graph=Command.PARENT, update={"x": ["left"]})

    inner = line(("leave", RunnableCallable(leave)))
    heard = Heard()
    assert line(("inner", inner)).invoke({"x": []}, {"callbacks": [heard]}) == {"x": ["left"]}

    def calls(state):
        return inner.invoke(state)

    assert line(("calls", RunnableCallable(calls))).invoke({"x": []}, {"callbacks": [heard]}) == {"x": ["left"]}
    assert [event for event in heard.events if event[0] == "error"] == []


def test_graphs_inside_are_found():
    """A graph that one of the functions calls is a subgraph of the node, and stays the parent's in streams."""
    inner = line(("deep", put))
    graph = line(("n", RunnableCallable(lambda state: inner.invoke(state), trace=False)))
    assert [name for name, _ in graph.get_subgraphs()] == ["n"]
    chunks = list(graph.stream({"x": []}, subgraphs=True))
    assert [len(ns) for ns, _ in chunks] == [1, 0]
    assert list(graph.stream({"x": []}, include_nodes=["deep"], subgraphs=True))[0][1] == chunks[0][1]


def test_a_subclass_is_called_itself():
    """A subclass that does more in `invoke` is invoked, not bypassed."""

    class Louder(RunnableCallable):
        def invoke(self, input, config=None, **kwargs):  # noqa: A002
            return {"x": [word.upper() for word in super().invoke(input, config, **kwargs)["x"]]}

    assert line(("n", Louder(put))).invoke({"x": []}) == {"x": ["SYNC"]}


class Joined(TypedDict):
    """A list that grows."""

    x: Annotated[list, add]


def test_in_a_chain_as_a_node():
    """A chain with an async-only part runs in sync runs too."""
    chain = RunnableCallable(None, aput) | RunnableCallable(lambda update: update)
    assert line(("n", chain)).invoke({"x": []}) == {"x": ["async"]}
    builder = StateGraph(Joined).add_node("n", RunnableCallable(put).with_config(tags=["t"])).add_edge(START, "n")
    assert builder.compile().invoke({"x": []}) == {"x": ["sync"]}
