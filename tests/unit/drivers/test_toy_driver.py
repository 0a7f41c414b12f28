"""What a driver owes a run, shown by one that is made from the list in `streamgraph._drivers` alone."""

from __future__ import annotations

import inspect
from typing import Any, Dict, List

import pytest
from langchain_core.callbacks import BaseCallbackHandler

from streamgraph import START, Command, Send, StateGraph
from streamgraph.config import get_stream_writer
from streamgraph.errors import GraphDrained
from streamgraph.func import entrypoint, task
from streamgraph.runtime import RunControl
from streamgraph.testing import check_stream
from streamgraph.types import RetryPolicy
from support.list_graphs import State
from support.models import Model
from unit.drivers import toy_driver
from unit.drivers.toy_driver import ToyBackend, toy_stream

EVERYTHING = ["values", "updates", "custom", "messages", "tasks"]


def stream(graph: Any, given: Any, modes: Any, backend: Any = None, **options: Any) -> Any:
    """Read a graph with the toy driver."""
    backend = backend or ToyBackend()
    config, nested = options.pop("config", None), options.get("version") == "v2" or None
    wanted, _ = graph._read({"stream_mode": modes, "subgraphs": nested, **options})
    return toy_stream(graph._session(given, config, None, wanted, backend), backend)


def application() -> Any:
    """A graph with a model, an async node, sends, a nested graph, subtasks, a retry and a handler."""
    model, failures = Model(words=["one ", "two"]), []

    @task
    def double(number: int) -> int:
        get_stream_writer()(number)
        return number * 2

    def speak(state: State) -> Any:
        return {"x": [model.invoke("?").content]}

    async def awaits(state: State) -> Any:
        return Command(update={"x": ["awaited"]}, goto=[Send("work", {"x": [n]}) for n in (1, 2)])

    def work(state: State) -> Any:
        return {"x": [double(state["x"][0]).result()]}

    def flaky(state: State) -> Any:
        failures.append(1)
        if len(failures) % 3:
            raise ConnectionError
        return {"x": ["at last"]}

    def fails(state: State) -> Any:
        raise KeyError("mine")

    inner = StateGraph(State).add_node(speak).add_edge(START, "speak").compile()
    builder = StateGraph(State).add_node("inner", inner).add_node(awaits).add_node(work)
    builder.add_node(flaky, retry_policy=RetryPolicy(initial_interval=60.0, jitter=False))
    builder.add_node(fails, error_handler=lambda state, error: {"x": [type(error.error).__name__]})
    builder.add_edge(START, "inner").add_edge("inner", "awaits").add_edge("work", "flaky").add_edge("flaky", "fails")
    return builder.compile()


def plain(chunks: Any) -> List[Any]:
    """Chunks without what differs from run to run: ids."""
    shown: List[Any] = []
    for mode, data in chunks:
        if mode == "messages":
            data = (data[0].content, data[1]["langgraph_node"], data[1]["langgraph_step"])
        elif mode == "tasks":
            data = (data["name"], {key: data[key] for key in ("input", "result") if key in data})
        shown.append((mode, repr(data)))
    return shown


def test_an_application() -> None:
    """It does all that a graph can ask for, keeps the rules of every stream, and sleeps on its own clock only."""
    given: Dict[str, Any] = {"x": []}
    check_stream(stream(application(), given, EVERYTHING, version="v2"))
    backend = ToyBackend()
    chunks = list(stream(application(), given, EVERYTHING, backend))
    assert backend.seconds == 60.0 + 120.0
    assert [data["x"] for mode, data in chunks if mode == "values"][-1] == [
        "one two", "awaited", 2, 4, "at last", "KeyError",
    ]  # fmt: skip
    assert "".join(data[0].content for mode, data in chunks if mode == "messages") == "one two"


def test_the_same_as_the_other_driver() -> None:
    """On a graph in which one task runs at a time, all chunks are the same, in their order."""

    def node(state: State) -> Any:
        get_stream_writer()("custom")
        return {"x": [Model(words=["a", "b"]).invoke("?").content]}

    builder = StateGraph(State).add_node("a", node).add_node("b", node).add_edge(START, "a").add_edge("a", "b")
    graph = builder.compile()
    given: Dict[str, Any] = {"x": []}
    assert plain(stream(graph, given, EVERYTHING)) == plain(graph.stream(given, stream_mode=EVERYTHING))


def test_a_workflow() -> None:
    """Tasks that a workflow calls run where they are called."""

    @task
    async def double(number: int) -> int:
        return number * 2

    @entrypoint()
    def flow(numbers: List[int]) -> int:
        return sum(future.result() for future in map(double, numbers))

    assert list(stream(flow, [1, 2], ["updates"])) == [
        ("updates", {"double": 2}),
        ("updates", {"double": 4}),
        ("updates", {"flow": 6}),
    ]


def test_failing_draining_and_leaving() -> None:
    """It raises what a node raises, ends when it is asked to, and stops when its reader has left."""

    def fails(state: State) -> None:
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        list(stream(StateGraph(State).add_node(fails).add_edge(START, "fails").compile(), {"x": []}, "updates"))

    control, ended = RunControl(), []
    control.request_drain()
    graph = StateGraph(State).add_node("a", lambda state: {"x": ["a"]}).add_edge(START, "a").compile()
    with pytest.raises(GraphDrained):
        list(stream(graph, {"x": []}, "updates", control=control))

    class Listener(BaseCallbackHandler):
        def on_chain_error(self, error: BaseException, **kwargs: Any) -> None:
            ended.append(type(error))

    builder = StateGraph(State).add_node("a", lambda state: {"x": ["a"]}).add_node("b", fails)
    graph = builder.add_edge(START, "a").add_edge("a", "b").compile()
    reader = stream(graph, {"x": []}, "updates", config={"callbacks": [Listener()]})
    assert next(reader) == {"a": {"x": ["a"]}}
    reader.close()
    assert (list(reader), ended) == ([], [GeneratorExit])


def test_it_is_small() -> None:
    """At most 80 lines: a driver is a small thing."""
    assert len(inspect.getsource(toy_driver).splitlines()) <= 80
