"""Containers that are handed out, in chunks, inputs and outputs, are the receiver's own; what is in them is shared.

The rule was once that containers are copied at every depth. It is one level since copying deeper made a step cost what
the state holds.
"""

from __future__ import annotations

import asyncio
import operator
from dataclasses import dataclass, field

import pytest
from typing_extensions import Annotated, TypedDict

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


LEVELS = {"values": 2, "updates": 3, "custom": 0, "tasks": 3, "debug": 4}
"""How many levels of a chunk are the consumer's own: a mapping, its values, and what the mapping is wrapped in."""


def spoil(value, levels=2):
    """Change every list and dict in a value, down to a depth: by default a state, and the values in it."""
    if not levels:
        return
    if isinstance(value, dict):
        for item in list(value.values()):
            spoil(item, levels - 1)
        value["spoilt"] = True
    elif isinstance(value, list):
        for item in value:
            spoil(item, levels - 1)
        value.append("spoilt")


def spoil_chunk(chunk, mode):
    """Change what a consumer owns of a chunk."""
    name, data = chunk if isinstance(mode, list) else (mode, chunk)
    spoil(data, LEVELS[name])


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
            spoil_chunk(chunk, mode)
        return stream.output

    if asynchronous:
        assert asyncio.run(run()) == expected
    else:
        stream = growing().stream({"x": [["in"]]}, stream_mode=mode)
        for chunk in stream:
            spoil_chunk(chunk, mode)
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


def test_elements_are_shared():
    """What lies in a value is nobody's own, and is the same object wherever it is handed out."""
    element, seen = {"deep": [1]}, []
    graph = line(lambda state: {"x": [element]}, lambda state: seen.append(state["x"][0]))
    stream = graph.stream({"x": []}, stream_mode=["values", "updates", "tasks"])
    chunks = list(stream)
    shown = [data["x"][0] for mode, data in chunks if mode == "values" and data["x"]]
    shown += [data["n0"]["x"][0] for mode, data in chunks if mode == "updates" and "n0" in data]
    shown += [data["input"]["x"][0] for mode, data in chunks if mode == "tasks" and data.get("input", {}).get("x")]
    assert len(shown) == 3
    assert all(item is element for item in [*shown, *seen, stream.output["x"][0]])


@pytest.mark.parametrize("size", [1, 1000])
def test_in_place_reducers_change_nothing_that_was_handed_out(size):
    """A reducer that changes its left argument gets one of its own; what it returns is not the update either."""

    def extend(left, right):
        left.extend(right)
        return left

    def take(left, right):
        return right

    update, kept = list(range(size)), []

    def node(state):
        kept.append(state)
        return {"a": update, "b": update}

    class Both(TypedDict, total=False):
        a: Annotated[list, extend]
        b: Annotated[list, take]

    # The hints name functions of this test, which cannot be found by name.
    Both.__annotations__.update(a=Annotated[list, extend], b=Annotated[list, take])
    chunks = list(line(*[(name, node) for name in "xyz"], schema=Both).stream({"a": [0]}, stream_mode="values"))
    update.append("later")
    assert [len(chunk["a"]) for chunk in chunks] == [1, 1 + size, 1 + 2 * size, 1 + 3 * size]
    assert [len(state["a"]) for state in kept] == [1, 1 + size, 1 + 2 * size]
    assert [len(chunk["b"]) for chunk in chunks[1:]] == [size] * 3


@pytest.mark.parametrize("size", [1, 1000])
def test_what_a_node_keeps_of_what_it_returns(size):
    """A list that a node has returned can be changed by it later: neither the state nor a chunk changes."""
    mine, again = list(range(size)), []

    def node(state):
        mine.append("more")
        return {"p": mine}

    graph = line(("a", node), ("b", node), ("c", lambda state: again.append(list(state["p"]))))
    chunks = list(graph.stream({}, stream_mode="values"))
    mine.clear()
    assert [len(chunk["p"]) for chunk in chunks] == [size + 1, size + 2]
    assert len(again[0]) == size + 2


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


@pytest.mark.parametrize("called", [False, True])
def test_nested_graphs_are_handed_values(called):
    """A nested graph gets the values of its parent, or what a node has made of them, and changes neither."""
    seen = []

    def inside(state):
        seen.append((len(state["x"]), state["x"][0]))
        state["x"].append("inside")

    inner = line(inside)

    def calls(state):
        state["x"].append("mine")
        return inner.invoke(state)

    element = ["element"]
    given = {"x": [element, *range(100)]}
    graph = line(("sub", calls if called else inner), ("after", inside))
    chunks = list(graph.stream(given, stream_mode="values"))
    assert seen[0] == (101 + called, element)
    assert seen[0][1] is element
    assert len(given["x"]) == 101
    assert "inside" not in chunks[-1]["x"]


def test_an_input_that_is_handed_on_as_a_value():
    """A state that is sent, returned or shown as a value of something else is a plain dict of the receiver's own."""
    kinds = []

    def work(given):
        kinds.append(type(given["whole"]))
        given["whole"]["spoilt"] = True
        return {"x": [len(given["whole"])]}

    builder = StateGraph(State).add_node("keep", lambda state: {"p": state}).add_node("work", work)
    builder.add_edge(START, "keep")
    builder.add_conditional_edges("keep", lambda state: [Send("work", {"whole": state})] * 2, ["work"])
    given = {"x": [*range(100)]}
    chunks = list(builder.compile().stream(given, stream_mode=["tasks", "values"]))
    sent = [data["input"]["whole"] for mode, data in chunks if mode == "tasks" and "whole" in data.get("input", {})]
    assert [type(item) for item in sent] == kinds == [dict, dict]
    assert all("spoilt" not in item for item in sent)
    final = chunks[-1][1]
    assert type(final["p"]) is dict
    assert final["x"][100:] == [3, 3]
