"""`RunControl`: a run that is asked to end does so after the step it is in, with everything delivered."""

from __future__ import annotations

import asyncio
import importlib
import threading
from importlib.metadata import version

import pytest

from streamgraph import START, StateGraph
from streamgraph.errors import GraphDrained, GraphRecursionError
from streamgraph.runtime import RunControl, Runtime, get_runtime
from streamgraph.types import RetryPolicy
from support.list_graphs import State, line

# What LangGraph says while it imports its own parts.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph")

KINDS = ["stream", "astream", "invoke", "ainvoke"]
MODES = ["values", "updates", "custom", "tasks"]


def put(name):
    """A node that appends its name."""
    return name, lambda state: {"x": [name]}


def asks(name, reason="enough"):
    """A node that asks the run to end, and goes on."""

    def node(state, runtime):
        runtime.control.request_drain(reason)
        return {"x": [name]}

    return name, node


def drained(kind, graph, given, control, **options):
    """What was delivered before the run was over, and the error that it was over with, if any."""
    chunks, error = [], None

    async def run():
        if kind == "ainvoke":
            chunks.append(await graph.ainvoke(given, control=control, **options))
            return
        async for chunk in graph.astream(given, control=control, **options):
            chunks.append(chunk)

    try:
        if kind == "invoke":
            chunks.append(graph.invoke(given, control=control, **options))
        elif kind == "stream":
            chunks.extend(graph.stream(given, control=control, **options))
        else:
            asyncio.run(run())
    except GraphDrained as raised:
        error = raised
    return chunks, error


@pytest.mark.parametrize("kind", KINDS)
def test_by_a_node(kind):
    """The step in which it is asked for is finished and delivered; the next one does not begin."""
    graph = line(put("a"), asks("b"), put("c"))
    chunks, error = drained(kind, graph, {}, RunControl())
    assert error is not None
    assert error.reason == "enough"
    assert "Graph drained: enough" in str(error)
    assert chunks == ([] if "invoke" in kind else [{"a": {"x": ["a"]}}, {"b": {"x": ["b"]}}])


@pytest.mark.parametrize("kind", ["stream", "astream"])
def test_everything_before_it_is_delivered(kind):
    """Every chunk of the last step is there: custom data, updates, results, and the state after it."""

    def node(state, runtime, writer):
        writer("before")
        runtime.control.request_drain()
        writer("after")
        return {"x": ["a"]}

    graph = line(("a", node), put("b"))
    chunks, error = drained(kind, graph, {"x": ["in"]}, RunControl(), stream_mode=MODES)
    assert error is not None
    told = [(mode, data if mode != "tasks" else ("result" in data, data["name"])) for mode, data in chunks]
    assert told == [
        ("values", {"x": ["in"]}),
        ("tasks", (False, "a")),
        ("custom", "before"),
        ("custom", "after"),
        ("updates", {"a": {"x": ["a"]}}),
        ("tasks", (True, "a")),
        ("values", {"x": ["in", "a"]}),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_siblings_finish(kind):
    """Nodes beside the one that asks are not cancelled."""
    asked = threading.Event()

    def first(state, runtime):
        runtime.control.request_drain("first")
        asked.set()
        return {"x": ["first"]}

    def second(state):
        return {"x": ["second", asked.wait(20)]}

    builder = StateGraph(State).add_node(first).add_node(second).add_node(*put("c"))
    for name in ("first", "second"):
        builder.add_edge(START, name).add_edge(name, "c")
    chunks, error = drained(kind, builder.compile(), {}, RunControl(), stream_mode="values")
    assert error is not None
    assert chunks == ([] if "invoke" in kind else [{"x": ["first", "second", True]}])


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_last_step(kind):
    """If no step would follow, the run ends as ever."""
    control = RunControl()
    chunks, error = drained(kind, line(put("a"), asks("b")), {}, control, stream_mode="values")
    assert error is None
    assert chunks[-1] == {"x": ["a", "b"]}
    assert (control.drain_requested, control.drain_reason) == (True, "enough")


def test_no_output():
    """A stream that was drained is over and has no output."""
    stream = line(asks("a"), put("b")).stream({}, control=RunControl())
    with pytest.raises(GraphDrained):
        list(stream)
    with pytest.raises(RuntimeError):
        _ = stream.output
    assert list(stream) == []


@pytest.mark.parametrize("kind", KINDS)
def test_before_the_run(kind):
    """A run that was asked to end before it began shows its input and runs nothing."""
    ran = []
    control = RunControl()
    control.request_drain("closing time")
    graph = line(lambda state: ran.append(1))
    chunks, error = drained(kind, graph, {"x": ["in"]}, control, stream_mode="values")
    assert error is not None
    assert (error.reason, ran) == ("closing time", [])
    assert chunks == ([] if "invoke" in kind else [{"x": ["in"]}])


@pytest.mark.parametrize("kind", KINDS)
def test_from_another_thread(kind):
    """Any thread may ask, while a node runs."""
    control, started, asked = RunControl(), threading.Event(), threading.Event()

    def node(state):
        started.set()
        return {"x": [asked.wait(20)]}

    def server():
        started.wait(20)
        control.request_drain("server shuts down")
        asked.set()

    thread = threading.Thread(target=server)
    thread.start()
    chunks, error = drained(kind, line(("a", node), put("b")), {}, control)
    thread.join()
    assert error is not None
    assert error.reason == "server shuts down"
    assert chunks == ([] if "invoke" in kind else [{"a": {"x": [True]}}])


@pytest.mark.parametrize("asynchronous", [False, True])
def test_by_the_consumer_between_two_chunks(asynchronous):
    """The consumer may ask between two pulls: as in LangGraph the step that is due by then is still run."""
    control, chunks = RunControl(), []
    graph = line(put("a"), put("b"), put("c"))

    def take(chunk):
        chunks.append(chunk)
        control.request_drain()

    async def run():
        async for chunk in graph.astream({}, control=control):
            take(chunk)

    with pytest.raises(GraphDrained):
        asyncio.run(run()) if asynchronous else [take(chunk) for chunk in graph.stream({}, control=control)]
    assert chunks == [{"a": {"x": ["a"]}}, {"b": {"x": ["b"]}}]


def test_the_recursion_limit_comes_first():
    """A run at its limit says so, as in LangGraph, whether it was asked to end or not."""
    with pytest.raises(GraphRecursionError):
        line(asks("a"), put("b")).invoke({}, {"recursion_limit": 1}, control=RunControl())


# --- nested graphs, retries, handlers ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["node", "called", "awaited"])
@pytest.mark.parametrize("kind", KINDS)
def test_nested(kind, how):
    """A nested graph is drained as well, and the run around it raises the error."""
    inner = line(asks("i1", "inner"), put("i2"))

    async def awaits(state):
        return await inner.ainvoke(state)

    node = {"node": inner, "called": lambda state: inner.invoke(state), "awaited": awaits}[how]
    graph = line(put("a"), ("sub", node), put("b"))
    chunks, error = drained(kind, graph, {}, RunControl(), subgraphs=True)
    assert error is not None
    assert error.reason == "inner"
    if "invoke" not in kind:
        assert [(len(ns), data) for ns, data in chunks] == [(0, {"a": {"x": ["a"]}}), (1, {"i1": {"x": ["i1"]}})]


def test_nested_graph_at_its_end():
    """A nested graph that was at its end has ended; then the graph around is drained."""
    graph = line(("sub", line(asks("i1"))), put("b"))
    chunks, error = drained("stream", graph, {}, RunControl())
    assert error is not None
    assert chunks == [{"sub": {"x": ["i1"]}}]
    chunks, error = drained("stream", line(("sub", line(asks("i1")))), {}, RunControl())
    assert (chunks, error) == ([{"sub": {"x": ["i1"]}}], None)


def test_nested_graph_with_a_control_of_its_own():
    """A nested graph that is given a control of its own has that one; the run around is asked nothing."""
    own, outer = RunControl(), RunControl()
    inner = line(asks("i1"), put("i2"))

    def node(state):
        with pytest.raises(GraphDrained):
            inner.invoke(state, control=own)
        return {"x": ["went on"]}

    assert line(("a", node), put("b")).invoke({}, control=outer) == {"x": ["went on", "b"]}
    assert (own.drain_requested, outer.drain_requested) == (True, False)


@pytest.mark.parametrize("kind", KINDS)
def test_neither_retried_nor_handled(kind):
    """The error of a nested graph is no failure of its node: nothing is tried again, and no handler is called."""
    calls, handled = [], []
    inner = line(asks("i1"), put("i2"))

    def node(state):
        calls.append(1)
        return inner.invoke(state)

    async def anode(state):
        return node(state)

    for target in (node, anode):
        calls.clear()
        builder = StateGraph(State).add_node(
            "sub",
            target,
            retry_policy=RetryPolicy(initial_interval=0.001, jitter=False, retry_on=Exception),
            error_handler=lambda state: handled.append(1),
        )
        _, error = drained(kind, builder.add_edge(START, "sub").compile(), {}, RunControl())
        assert error is not None
        assert (calls, handled) == ([1], [])


def test_retries_go_on():
    """A node that fails while the run is being drained is tried again: its step is to be finished."""
    attempts = []

    def node(state, runtime):
        attempts.append(1)
        runtime.control.request_drain()
        if len(attempts) < 3:
            raise ConnectionError
        return {"x": [len(attempts)]}

    policy = RetryPolicy(initial_interval=0.001, jitter=False)
    builder = StateGraph(State).add_node("a", node, retry_policy=policy).add_node(*put("b"))
    chunks, error = drained("stream", builder.add_edge(START, "a").add_edge("a", "b").compile(), {}, RunControl())
    assert error is not None
    assert chunks == [{"a": {"x": [3]}}]


def test_a_failure_comes_first():
    """A node that fails after it has asked fails the run with its own error."""

    def node(state, runtime):
        runtime.control.request_drain()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        line(("a", node), put("b")).invoke({}, control=RunControl())


# --- what nodes see ---------------------------------------------------------------------------------------------


def test_runtime():
    """A node sees the control, and whether and why the run has been asked to end."""
    seen = []

    def look(state, runtime: Runtime):
        seen.append((runtime.control, runtime.drain_requested, runtime.drain_reason))
        if runtime.control is not None:
            runtime.control.request_drain("why not")
        again = get_runtime()
        seen.append((again.control, again.drain_requested, again.drain_reason))

    control = RunControl()
    line(look).invoke({}, control=control)
    line(look).invoke({})
    assert seen == [(control, False, None), (control, True, "why not"), *[(None, False, None)] * 2]


def test_control():
    """The control says what it was asked for; the first reason counts."""
    control = RunControl()
    assert (control.drain_requested, control.drain_reason) == (False, None)
    control.request_drain()
    assert (control.drain_requested, control.drain_reason) == (True, "shutdown")
    assert "shutdown" in repr(control)
    control.request_drain("later")
    assert control.drain_reason == "shutdown"


def test_batches_share_it():
    """Runs that are given one control all end."""
    control, barrier = RunControl(), threading.Barrier(3, timeout=20)

    def node(state, runtime):
        barrier.wait()
        runtime.control.request_drain("all")
        return {"x": ["a"]}

    out = line(("a", node), put("b")).batch([{}] * 3, control=control, return_exceptions=True)
    assert [type(item) for item in out] == [GraphDrained] * 3


# --- LangGraph's ------------------------------------------------------------------------------------------------

# Those before 1.2 have nothing of the kind.
THEIRS = tuple(map(int, version("langgraph").split(".")[:2])) >= (1, 2)


def program(root, where):
    """Chunks and error of a library's run that is drained there."""
    library = importlib.import_module(f"{root}.graph")
    runtime = importlib.import_module(f"{root}.runtime")
    errors_of = importlib.import_module(f"{root}.errors")
    control = runtime.RunControl()

    def node(name):
        def act(state):
            if name == where:
                control.request_drain(f"by {name}")
            return {"x": [name]}

        return name, act

    def built(*nodes):
        builder = library.StateGraph(State)
        names = [name for name, _ in nodes]
        for name, act in nodes:
            builder.add_node(name, act)
        for source, target in zip([library.START, *names], names):
            builder.add_edge(source, target)
        return builder.compile()

    graph = built(node("a"), ("sub", built(node("i1"), node("i2"))), node("z"))
    if where is None:
        control.request_drain("early")
    chunks, error = [], None
    try:
        for ns, mode, data in graph.stream(
            {"x": ["in"]}, stream_mode=["values", "updates"], subgraphs=True, control=control
        ):
            chunks.append((len(ns), mode, data))
    except errors_of.GraphDrained as raised:
        error = (raised.reason, str(raised).split(".")[0])
    return chunks, error


@pytest.mark.parametrize("where", [None, "a", "i1", "i2", "z"])
def test_as_langgraph(where):
    """Wherever it is asked for, chunks and error are LangGraph's; it drops the input where nothing is run at all."""
    chunks, error = program("streamgraph", where)
    assert (error is None) == (where == "z")
    assert chunks[0] == (0, "values", {"x": ["in"]})
    if THEIRS:
        their_chunks, their_error = program("langgraph", where)
        assert (chunks, error) == (their_chunks or chunks[:1], their_error)
