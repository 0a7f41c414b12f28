"""The compiled graph as a Runnable: runs, batches, chains, configs, schemas, concurrency, and what it hands out."""

from __future__ import annotations

import asyncio
import json
import operator
import threading
import typing
from dataclasses import dataclass, field

import pytest
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel, ValidationError
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Send, StateGraph
from streamgraph.errors import NotSupportedError
from streamgraph.stream import StreamTransformer
from streamgraph.types import GraphOutput
from support.list_graphs import State, both, line

MODES = ["values", "updates", "custom", "tasks", "debug"]


def note(*names):
    """A graph whose nodes append their names."""
    return line(*((name, lambda state, name=name: {"x": [name]}) for name in names))


def test_invoke():
    """The final state, without keys that nobody wrote; `None` if nothing was ever written."""
    graph = note("a", "b")
    assert graph.invoke({"x": ["in"]}) == {"x": ["in", "a", "b"]}
    assert asyncio.run(graph.ainvoke({"p": 1})) == {"x": ["a", "b"], "p": 1}
    assert line(lambda state: None).invoke({}) is None


def test_invoke_with_a_mode():
    """With any mode but `values`, `invoke` returns the chunks of that stream."""
    graph = note("a", "b")
    for modes in ("updates", ["values", "updates"], "tasks"):
        count = len(list(graph.stream({}, stream_mode=modes)))
        assert (
            len(graph.invoke({}, stream_mode=modes)) == len(asyncio.run(graph.ainvoke({}, stream_mode=modes))) == count
        )
    assert graph.invoke({}, stream_mode="updates") == [{"a": {"x": ["a"]}}, {"b": {"x": ["b"]}}]


def test_output_keys():
    """One key gives its bare value, several a dict of them, in `invoke`, `.output`, `values` and `updates`."""
    graph = line(lambda state: {"x": ["a"], "p": 1})
    assert graph.invoke({}, output_keys="p") == 1
    assert graph.invoke({}, output_keys=["p"]) == {"p": 1}
    assert graph.invoke({}, output_keys="q") is None
    assert both(graph, {}, output_keys="x", stream_mode="values") == [["a"]]
    assert both(graph, {}, output_keys=["p"], stream_mode="values") == [{"p": 1}]
    assert both(graph, {}, output_keys="p") == [{"n0": 1}]
    stream = graph.stream({}, output_keys="x")
    list(stream)
    assert stream.output == ["a"]


@pytest.mark.parametrize("modes", [*MODES, "messages", "checkpoints", MODES])
def test_output(modes):
    """After exhaustion `.output` is what `invoke` returns, whatever modes were asked for."""
    graph = note("a", "b")

    async def run():
        stream = graph.astream({"x": ["in"]}, stream_mode=modes)
        with pytest.raises(RuntimeError):
            _ = stream.output
        async for _ in stream:
            pass
        return stream.output

    stream = graph.stream({"x": ["in"]}, stream_mode=modes)
    with pytest.raises(RuntimeError, match="exhausted"):
        _ = stream.output
    list(stream)
    assert stream.output == asyncio.run(run()) == graph.invoke({"x": ["in"]})


def test_no_output_after_an_early_end():
    """A stream that was left early, or that failed, has no output."""
    stream = note("a", "b").stream({})
    next(stream)
    stream.close()
    with pytest.raises(RuntimeError):
        _ = stream.output
    assert list(stream) == []


@dataclass
class Data:
    x: Annotated[list, operator.add] = field(default_factory=list)
    y: int = 7


def test_version_2():
    """`invoke` gives the state as an instance of its schema, or as a dict if that is what the schema is."""
    out = line(lambda state: {"x": [1]}, schema=Data).invoke({}, version="v2")
    assert isinstance(out, GraphOutput)
    assert (out.value, out.interrupts) == (Data([1], 7), ())
    assert asyncio.run(note("a").ainvoke({}, version="v2")).value == {"x": ["a"]}


def test_names():
    """A graph has the name it was compiled with."""
    builder = StateGraph(State).add_node("a", lambda state: None).add_edge(START, "a")
    assert builder.compile().get_name() == builder.compile().name == "LangGraph"
    assert builder.compile(name="mine").get_name() == "mine"
    assert "mine" in repr(builder.compile(name="mine"))


def test_with_config():
    """`with_config` gives a copy; configs add up, and those of the call come last."""
    seen = []

    def look(state, config):
        seen.append(
            (config.get("tags"), {key: config["metadata"].get(key) for key in "abc"}, config["configurable"].get("k"))
        )

    graph = line(look)
    bound = graph.with_config(tags=["one"], metadata={"a": 1, "b": 1}, configurable={"k": 1})
    again = bound.with_config({"tags": ["two"], "metadata": {"b": 2}}, recursion_limit=1)
    again.invoke({}, {"tags": ["call"], "metadata": {"c": 3}, "configurable": {"k": 3}})
    graph.invoke({})
    bound.invoke({})
    assert seen == [
        (["one", "two", "call"], {"a": 1, "b": 2, "c": 3}, 3),
        (None, {"a": None, "b": None, "c": None}, None),
        (["one"], {"a": 1, "b": 1, "c": None}, 1),
    ]
    assert (graph.config, type(again), again.get_name()) == (None, type(graph), graph.get_name())


@pytest.mark.parametrize("count", [0, 1, 5])
def test_batch(count):
    """Many runs at once, each with its own state and config, results in order."""
    graph = line(lambda state, config: {"x": [state["p"], config["configurable"].get("k")]})
    given = [{"p": index} for index in range(count)]
    configs = [{"configurable": {"k": -index}} for index in range(count)]
    expected = [[index, -index] for index in range(count)]
    assert [out["x"] for out in graph.batch(given, configs)] == expected
    assert [out["x"] for out in asyncio.run(graph.abatch(given, configs))] == expected
    ended = dict(graph.batch_as_completed(given, configs))
    assert [ended[index]["x"] for index in range(count)] == expected


def test_batch_with_exceptions():
    """An error in one run of a batch can be returned in its place."""

    def node(state):
        if state["p"]:
            raise KeyError("mine")

    first, second = line(node).batch([{"p": 0}, {"p": 1}], return_exceptions=True)
    assert first == {"x": [], "p": 0}
    assert isinstance(second, KeyError)


def before(given):
    return {"x": [given]}


def after(state):
    return ("after", state)


def test_in_a_chain():
    """A graph can stand at the start, in the middle and at the end of a chain."""
    graph = note("a", "b")
    final = {"x": ["in", "a", "b"]}
    assert (RunnableLambda(before) | graph).invoke("in") == final
    assert (graph | after).invoke({"x": ["in"]}) == ("after", final)
    assert (before | graph | after).invoke("in") == ("after", final)
    assert asyncio.run((before | graph | after).ainvoke("in")) == ("after", final)
    assert (graph | note("c")).invoke({"x": ["in"]}) == {"x": ["in", "a", "b", "c"]}


def test_in_a_streamed_chain():
    """The next step of a streamed chain gets the final state, of the output schema's keys."""
    graph = note("a", "b")
    chains = [before | graph | after, before | graph | RunnableLambda(lambda state: ("after", state))]
    for chain in chains:
        assert list(chain.stream("in")) == [("after", {"x": ["in", "a", "b"]})]

        async def run(chain=chain):
            return [chunk async for chunk in chain.astream("in")]

        assert asyncio.run(run()) == [("after", {"x": ["in", "a", "b"]})]
    assert list((before | graph | note("c") | after).stream("in")) == [("after", {"x": ["in", "a", "b", "c"]})]


class Answer(TypedDict):
    p: int


def test_output_schema_in_a_streamed_chain():
    """What the next step gets is what `invoke` would have returned."""
    graph = line(lambda state: {"x": ["a"], "p": 1}, output_schema=Answer)
    assert list((graph | after).stream({})) == [("after", {"p": 1})]


# --- schemas ----------------------------------------------------------------------------------------------------


class OldItem(typing.TypedDict):
    n: int


class Old(typing.TypedDict):
    items: Annotated[typing.List[OldItem], operator.add]
    name: typing.Optional[str]
    x: Annotated[list, operator.add]


class Pydantic(BaseModel):
    name: str


@pytest.mark.parametrize("schema", [Old, State, Data, Pydantic, Annotated[int, operator.add]], ids=str)
def test_schemas(schema):
    """Every kind of state gives pydantic models and JSON schemas, `typing.TypedDict` on every Python included."""
    graph = line(lambda state: None, schema=schema)
    for model, made in (
        (graph.get_input_schema(), graph.get_input_jsonschema()),
        (graph.get_output_schema(), graph.get_output_jsonschema()),
    ):
        assert issubclass(model, BaseModel)
        assert json.loads(json.dumps(made)) == made
        if isinstance(schema, type):
            assert made["title"] == schema.__name__
            assert set(made["properties"]) <= set(schema.__annotations__)


def test_schemas_validate():
    """The model of the input checks types, and knows nested classes."""
    model = line(lambda state: None, schema=Old).get_input_schema()
    assert model.model_validate({"items": [{"n": 1}], "name": None, "x": []})
    with pytest.raises(ValidationError):
        model.model_validate({"items": [{"n": "many"}], "name": None, "x": []})
    with pytest.raises(ValidationError):
        model.model_validate({"items": [{"n": 1}], "name": None})


def test_input_and_output_schemas():
    """Input and output have models of their own."""
    graph = line(lambda state: None, input_schema=Answer, output_schema=Old, schema=State)
    assert graph.get_input_jsonschema()["title"] == "Answer"
    assert set(graph.get_output_jsonschema()["properties"]) == {"items", "name", "x"}


# --- concurrency ------------------------------------------------------------------------------------------------


def fan(node, count):
    """A graph with this node in `count` places of one step."""
    builder = StateGraph(State)
    for index in range(count):
        builder.add_node(f"n{index}", node).add_edge(START, f"n{index}")
    return builder.compile()


@pytest.mark.parametrize("modes", ["values", "custom"])
def test_parallel_nodes_run_at_once(modes):
    """Sync nodes of one step run in threads of their own: each can wait for all of the others."""
    barrier = threading.Barrier(6, timeout=20)
    meet = lambda state: {"x": [barrier.wait() >= 0]}  # noqa: E731
    assert fan(meet, 6).invoke({}) == {"x": [True] * 6}
    assert asyncio.run(fan(meet, 6).ainvoke({})) == {"x": [True] * 6}
    both(fan(meet, 6), {}, stream_mode=modes)


def test_parallel_async_nodes_run_at_once():
    """So do async nodes, also in a sync run, and sends."""

    def graph():
        here = []

        async def meet(state):
            here.append(1)
            while len(here) % 4:
                await asyncio.sleep(0)
            return {"x": [1]}

        return fan(meet, 4)

    assert asyncio.run(graph().ainvoke({})) == graph().invoke({}) == {"x": [1] * 4}


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_max_concurrency(limit, asynchronous):
    """No more nodes than allowed run at once, sends included; as many as allowed do."""
    lock, most, running = threading.Lock(), [0], [0]
    barrier = threading.Barrier(limit, timeout=20)

    def node(state):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        barrier.wait()
        with lock:
            running[0] -= 1
        return {"x": [1]}

    builder = StateGraph(State).add_node("w", node)
    graph = builder.add_conditional_edges(START, lambda state: [Send("w", {})] * 6).compile()
    config = {"max_concurrency": limit}
    out = asyncio.run(graph.ainvoke({}, config)) if asynchronous else graph.invoke({}, config)
    assert out == {"x": [1] * 6}
    assert most == [limit]


def test_one_graph_many_runs():
    """A graph holds no state of a run: runs that overlap do not meet."""
    graph = note("a", "b")
    streams = [graph.stream({"x": [index]}, stream_mode="values") for index in range(3)]
    assert [[next(stream)["x"][0] for stream in streams] for _ in range(3)] == [[0, 1, 2]] * 3
    assert graph.invoke({"x": [9]}) == {"x": [9, "a", "b"]}


def noop(state):
    """A node."""


class Words(StreamTransformer):
    """A transformer."""

    def init(self):
        return {}


def test_transformers_are_kept():
    """Transformers for the v3 protocol are kept, and refused in another."""

    def configured(scope):
        return Words(scope)

    graph = StateGraph(State).add_node(noop).set_entry_point("noop").compile(transformers=[Words, configured])
    assert graph.stream_transformers == (Words, configured)
    assert graph.with_config(tags=["t"]).stream_transformers == (Words, configured)
    assert StateGraph(State).add_node(noop).set_entry_point("noop").compile().stream_transformers == ()
    for call in (graph.stream_events, graph.astream_events):
        with pytest.raises(TypeError, match="transformers= belongs to events of the version 'v3'"):
            call({"x": []}, version="v2", transformers=[Words])
    with pytest.raises(NotSupportedError, match="can only be awaited"):
        graph.stream_events({"x": []}, version="v2")


@pytest.mark.parametrize("given", [[Words()], Words, "Words", [3], Words()])
def test_transformers_that_cannot_work(given):
    """What makes no transformers is refused when the graph is compiled."""
    builder = StateGraph(State).add_node(noop).set_entry_point("noop")
    with pytest.raises(TypeError, match="transformers= takes"):
        builder.compile(transformers=given)
