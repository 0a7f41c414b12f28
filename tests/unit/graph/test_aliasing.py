"""Nothing that is handed out is a part of the state: chunks, inputs of nodes, outputs."""

from __future__ import annotations

import asyncio
import operator
from dataclasses import dataclass, field

import pytest
from typing_extensions import Annotated

from streamgraph import START, Command, Send, StateGraph
from support.list_graphs import State, line

MODES = ["values", "updates", "custom", "tasks", "debug"]


@dataclass
class Data:
    x: Annotated[list, operator.add] = field(default_factory=list)


def fan(node, count):
    """A graph with this node in `count` places of one step."""
    builder = StateGraph(State)
    for index in range(count):
        builder.add_node(f"n{index}", node).add_edge(START, f"n{index}")
    return builder.compile()


def spoil(value):
    """Change every list and dict in a value, at every depth."""
    if isinstance(value, dict):
        for item in list(value.values()):
            spoil(item)
        value["spoilt"] = True
    elif isinstance(value, (list, tuple)):
        for item in value:
            spoil(item)
        if isinstance(value, list):
            value.append("spoilt")


def growing():
    """A graph that puts lists into the state and hands them around."""
    return line(
        lambda state: {"x": [["a"]], "p": {"deep": [1]}},
        lambda state: {"x": [["b"]], "q": state["p"]["deep"]},
        lambda state: Command(update={"x": [[list(state["p"]), state["q"]]]}),
    )


@pytest.mark.parametrize("mode", [*MODES, MODES])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_changed_chunk_changes_nothing(mode, asynchronous):
    """Whatever a consumer does to a chunk, later chunks and the final state are as without it."""
    expected = growing().invoke({"x": [["in"]]})

    async def run():
        stream = growing().astream({"x": [["in"]]}, stream_mode=mode)
        async for chunk in stream:
            spoil(chunk)
        return stream.output

    if asynchronous:
        assert asyncio.run(run()) == expected
    else:
        stream = growing().stream({"x": [["in"]]}, stream_mode=mode)
        for chunk in stream:
            spoil(chunk)
        assert stream.output == expected


def test_a_changed_input_of_a_node_changes_nothing():
    """What a node does to its input stays in the node: for dicts, objects, root states, sends and branches."""
    seen = []

    def vandal(state):
        spoil(state)

    graph = line(vandal, lambda state: seen.append(state))
    assert graph.invoke({"x": [["in"]], "p": {"deep": [1]}}) == {"x": [["in"]], "p": {"deep": [1]}}
    assert seen == [{"x": [["in"]], "p": {"deep": [1]}}]
    assert line(lambda state: state.x.append(1), schema=Data).invoke({"x": [0]}) == {"x": [0]}
    assert line(lambda state: state.append(1), schema=Annotated[list, operator.add]).invoke([0]) == [0]
    builder = StateGraph(State).add_node("a", vandal).add_edge(START, "a")
    builder.add_conditional_edges("a", lambda state: spoil(state) or "__end__")
    assert builder.compile().invoke({"x": [["in"]]}) == {"x": [["in"]]}


def test_what_is_sent_is_apart():
    """A task that was sent changes neither the state nor what its neighbours got, if it changes its input."""
    shared = [1]
    builder = line(lambda state: Command(update={"p": shared}, goto=[Send("w", {"p": shared})] * 2)).builder

    def vandal(given):
        given["p"].append("spoilt")
        return {"x": [len(given["p"])]}

    assert builder.add_node("w", vandal).compile().invoke({}) == {"x": [2, 2], "p": [1]}


def test_parallel_nodes_do_not_share_their_input():
    """What one node of a step does to its input, its neighbours do not see."""
    graph = fan(lambda state: {"x": [len(state["p"])]} if state["p"].append(1) is None else None, 3)
    assert graph.invoke({"p": []}) == {"x": [1, 1, 1], "p": []}


def test_a_changed_output_changes_nothing():
    """The output of a run is the caller's own."""
    kept = ["kept"]
    graph = line(lambda state: {"p": kept})
    spoil(graph.invoke({}))
    assert kept == ["kept"]


def test_chunks_stay_as_they_were():
    """Chunks that were kept look at the end as they did when they came."""
    stream = growing().stream({"x": [["in"]]}, stream_mode=["values", "updates", "tasks"])
    chunks, told = [], []
    for chunk in stream:
        chunks.append(chunk)
        told.append(repr(chunk))
    assert list(map(repr, chunks)) == told


def test_a_chunk_read_in_a_node_is_not_the_one_read_outside():
    """A nested stream that is read in a node and around it gives each reader chunks of its own."""
    inner = growing()

    def node(state):
        for chunk in inner.stream({"x": [["in"]]}, stream_mode="values"):
            spoil(chunk)

    chunks = list(line(node).stream({}, stream_mode="values", subgraphs=True))
    assert [chunk for ns, chunk in chunks if ns] == list(inner.stream({"x": [["in"]]}, stream_mode="values"))
