"""The writer: bound to its task, at home in every thread, harmless everywhere else."""

from __future__ import annotations

import asyncio
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from streamgraph import END, get_store, get_stream_writer
from streamgraph._langchain.scope import current_scope
from streamgraph.runtime import get_runtime
from support.list_graphs import both, line


def test_outside_of_a_graph():
    """Outside of a graph a writer does nothing, and asking for a run's things is an error."""
    assert get_stream_writer()("lost") is None
    assert RunnableLambda(lambda given: get_stream_writer()(given)).invoke("lost") is None
    for ask in (get_runtime, get_store):
        with pytest.raises(RuntimeError, match="outside of a graph run"):
            ask()


@pytest.mark.parametrize("value", [None, 0, "", {"a": 1}, [1], object, ("a", "b")], ids=repr)
def test_any_value(value):
    """What is written is what arrives."""
    assert both(line(lambda state, writer: writer(value)), {}, stream_mode="custom") == [value]


def test_without_the_mode():
    """If nobody asked for `custom`, a writer does nothing."""
    graph = line(lambda state, writer: writer("lost"))
    assert both(graph, {}, stream_mode="updates") == [{"n0": None}]
    assert graph.invoke({}) is None


@tool
def speaking(text: str) -> str:
    """Say something."""
    get_stream_writer()(f"tool {text}")
    return text


@tool
async def aspeaking(text: str) -> str:
    """Say something."""
    await asyncio.sleep(0)
    get_stream_writer()(f"tool {text}")
    return text


async def write(text):
    await asyncio.sleep(0)
    get_stream_writer()(text)


async def gathers(state):
    await asyncio.gather(write("tool a"), asyncio.ensure_future(write("tool a")))


async def awaits_tool(state):
    await aspeaking.ainvoke({"text": "a"})
    await speaking.ainvoke({"text": "a"})


def calls_tool(state):
    speaking.invoke({"text": "a"})
    RunnableLambda(lambda given: speaking.invoke(given)).invoke({"text": "a"})


def nests(state):
    inner = line(lambda state: get_stream_writer()("tool a"))
    inner.invoke({})
    list(inner.stream({}))


@pytest.mark.parametrize("node", [gathers, awaits_tool, calls_tool, nests], ids=lambda node: node.__name__)
def test_from_anywhere(node):
    """A writer can be asked for in tools, Runnables, tasks and nested graphs, with no config handed on."""
    assert both(line(node), {}, stream_mode="custom") == ["tool a", "tool a"]


def test_from_branches():
    """Branches write for the node they follow."""

    def choose(state):
        get_stream_writer()("branch")
        return END

    builder = line(lambda state: None).builder
    builder.add_conditional_edges("n0", choose)
    assert both(builder.compile(), {}, stream_mode="custom") == ["branch"]


def test_from_a_bare_thread():
    """A writer works in a thread that knows nothing of the node, in order and from several at once."""

    def node(state):
        writer = get_stream_writer()

        def work():
            assert current_scope() is None
            assert get_stream_writer() is not writer
            writer("thread")

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(writer, ["pool"] * 6))

    async def anode(state):
        writer = get_stream_writer()
        await asyncio.get_running_loop().run_in_executor(None, writer, "thread")
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(writer, ["pool"] * 6))

    for made in (line(node), line(anode)):
        assert both(made, {}, stream_mode="custom") == ["thread", *["pool"] * 6]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_after_the_run(asynchronous):
    """A writer that is used after its run warns once and does nothing, from any thread."""
    kept = []

    def node(state, writer):
        writer("in time")
        kept.append(writer)

    graph = line(node)

    async def run():
        return [chunk async for chunk in graph.astream({}, stream_mode="custom")]

    chunks = asyncio.run(run()) if asynchronous else list(graph.stream({}, stream_mode="custom"))
    assert chunks == ["in time"]
    with pytest.warns(RuntimeWarning, match="after its run had ended"):
        kept[0]("late")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept[0]("late again")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(kept[0], "late again").result() is None


def test_after_the_run_without_the_mode():
    """If nobody asked for `custom`, there is nothing to warn of."""
    kept = []
    line(lambda state, writer: kept.append(writer)).invoke({})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept[0]("late")


def test_nothing_is_left_behind():
    """The caller's context knows nothing of a run, between chunks and after it."""
    stream = line(lambda state, writer: writer(1), lambda state, writer: writer(2)).stream({}, stream_mode="custom")
    assert current_scope() is None
    for _ in stream:
        assert current_scope() is None
        assert get_stream_writer()("outside") is None
    assert current_scope() is None


def test_custom_data_of_an_inner_stream_is_for_its_reader():
    """Who reads the custom data of a nested graph in a node gets it, and passes it on by hand."""
    inner = line(lambda state, writer: writer("inner"))

    def node(state, writer):
        for item in inner.stream({}, stream_mode="custom"):
            writer(["passed on", item])

    assert both(line(node), {}, stream_mode="custom") == [["passed on", "inner"]]


def test_namespaces():
    """With `subgraphs=True` custom data says which graph it is from."""
    inner = line(lambda state, writer: writer("inner"))

    def node(state, writer):
        writer("outer")
        inner.invoke({})
        inner.invoke({})

    chunks = list(line(("outer", node)).stream({}, stream_mode="custom", subgraphs=True))
    assert [item for _, item in chunks] == ["outer", "inner", "inner"]
    first, second, third = (ns for ns, _ in chunks)
    assert (first, second[0].split(":")[0], third) == ((), "outer", (*second, "1"))
    assert list(line(("outer", node)).stream({}, stream_mode="custom", subgraphs=False)) == ["outer"]
