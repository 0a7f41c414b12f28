"""What a step costs does not depend on how much the state holds, in counts; what was written costs what it holds."""

from __future__ import annotations

import operator
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from typing_extensions import Annotated, TypedDict

from costs.counting import Counting, per_unit
from streamgraph.channels import DeltaChannel, EphemeralValue, Topic, UntrackedValue
from streamgraph.graph import START, StateGraph, add_messages
from streamgraph.serialization import to_json

SIZES = [10, 1_000, 100_000]
MODES: List[Any] = ["updates", "values", ["values", "updates"]]


class Loaded(TypedDict, total=False):
    """A state with data that no node writes."""

    n: int
    data: List[Any]


class Chat(TypedDict):
    """A conversation."""

    messages: Annotated[List[AnyMessage], add_messages]


class Once(TypedDict, total=False):
    """A list with a reducer that counts."""

    items: Annotated[List[int], lambda left, right: REDUCED.append(1) or [*left, *right]]


REDUCED: List[int] = []
END = AIMessage("yes", id="new")


def chain(schema: Any, node: Any, size: int) -> Any:
    """A graph of so many nodes, one after the other."""
    builder, before = StateGraph(schema), START
    for index in range(size):
        builder.add_node(f"n{index}", node).add_edge(before, f"n{index}")
        before = f"n{index}"
    return builder.compile()


def reading(schema: Any, node: Any, given: Any, mode: Any) -> Callable[[int], Callable[[], Any]]:
    """Reads chains of so many nodes."""

    def make(size: int) -> Callable[[], Any]:
        graph = chain(schema, node, size)

        def run() -> None:
            for _ in graph.stream(given, stream_mode=mode):
                pass

        return run

    return make


@pytest.mark.parametrize("mode", MODES)
def test_what_is_held(mode: Any) -> None:
    """A step costs the same whether there are 10, 1,000 or 100,000 nested dicts in a key that it does not touch."""
    found: List[Dict[str, float]] = []
    for size in SIZES:
        data = [{"id": index, "meta": {"tags": ["a"]}} for index in range(size)]
        given = {"n": 0, "data": data}
        found.append(per_unit(reading(Loaded, lambda state: {"n": state["n"] + 1}, given, mode)))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("mode", ["updates", "values", "patches", "messages"])
def test_one_more_message(mode: str) -> None:
    """One message more costs the same whether it follows 10, 1,000 or 10,000 others."""
    histories = [[HumanMessage(f"{index}", id=f"m{index}") for index in range(size)] for size in (10, 1_000, 10_000)]
    node = lambda state: {"messages": AIMessage("yes")}  # noqa: E731
    for _ in range(3):  # a busy machine starts a thread more where one would have been free a moment later
        found = [per_unit(reading(Chat, node, {"messages": history}, mode)) for history in histories]
        if found[0] == found[1] == found[2]:
            break
    assert found[0] == found[1] == found[2]


def test_the_patch_of_one_more_message() -> None:
    """In patches, one message more is as long as that message, whether it follows 10 others or 2,000.

    It is the same if a node, or a nested graph, returns all of them.
    """
    found = []
    for size in (10, 2_000):
        history = [HumanMessage(f"{index}", id=f"m{index}") for index in range(size)]
        graph = chain(Chat, lambda state: {"messages": AIMessage("yes", id="new")}, 3)
        _, *patches = graph.stream({"messages": history}, stream_mode="patches")
        found.append([len(to_json(patch)) for patch in patches])
        nested = StateGraph(Chat).add_node("inner", graph).add_edge(START, "inner").compile()
        for all_again in (chain(Chat, lambda state: {"messages": [*state["messages"], END]}, 1), nested):
            _, patch = all_again.stream({"messages": history}, stream_mode="patches")
            found[-1].append(len(to_json(patch)))
    alone = len(to_json(AIMessage("yes", id="new")))
    assert found[0][0] < alone + 50
    assert found[1][0] == found[0][0]
    assert max(found[1]) <= max(found[0]) + 2  # the place of the message that is replaced has more digits


class Held(TypedDict, total=False):
    """A state with data in channel objects that no node writes to."""

    n: int
    log: Annotated[List[Any], Topic(dict, accumulate=True)]
    data: Annotated[List[Any], UntrackedValue]
    batches: Annotated[List[Any], DeltaChannel(lambda state, writes: [*state, *(x for write in writes for x in write)])]
    jump: Annotated[str, EphemeralValue]


@pytest.mark.parametrize("mode", MODES)
def test_what_channel_objects_hold(mode: Any) -> None:
    """A step costs the same whatever lies in channels that it does not write to, and copies none of it."""
    found: List[Dict[str, float]] = []
    for size in SIZES:
        data = [{"id": index} for index in range(size)]
        given = {"n": 0, "log": data, "data": data, "batches": data}
        found.append(per_unit(reading(Held, lambda state: {"n": state["n"] + 1}, given, mode)))
    assert found[0] == found[1] == found[2]


COPIED: List[str] = []


class Copied(Topic[Any]):
    """A topic that counts its copies."""

    def copy(self) -> Any:
        COPIED.append(self.key)
        return super().copy()


class Topics(TypedDict, total=False):
    """A channel that may forget what it holds, and one that never does."""

    once: Annotated[List[Any], Copied(int)]
    kept: Annotated[List[Any], Topic(int, accumulate=True)]
    n: int


def test_copies_of_channel_objects() -> None:
    """A run copies a channel where it is written to, and where it may forget what it holds."""
    graph = chain(Topics, lambda state: {"n": 1}, 5)
    COPIED.clear()
    graph.invoke({"once": [1], "kept": [1]})
    assert COPIED == ["once"] * 2


def test_what_a_node_loads() -> None:
    """A node that loads 50,000 nested dicts costs a few calls: they are not walked through."""
    data = [{"id": index, "meta": {"tags": ["a"]}} for index in range(50_000)]
    graph = chain(Loaded, lambda state: {"data": data}, 1)
    for mode in MODES:
        with Counting() as counting:
            assert len(list(graph.stream({"n": 0}, stream_mode=mode))) > 0
        assert counting.counts["called"] < 250


@pytest.mark.parametrize("mode", ["updates", "values", "messages"])
@pytest.mark.parametrize("branches", [False, True])
def test_a_reducer_runs_once_per_write(branches: bool, mode: str) -> None:
    """So it does if a branch has to see the state with the write as well."""
    builder = StateGraph(Once).add_node("a", lambda state: {"items": [1]}).add_node("b", lambda state: {"items": [2]})
    builder.add_edge(START, "a").add_edge("b", "__end__")
    if branches:
        builder.add_conditional_edges("a", lambda state: "b" if state["items"][-1] == 1 else "__end__")
    else:
        builder.add_edge("a", "b")
    graph = builder.compile()
    REDUCED.clear()
    stream = graph.stream({"items": [0]}, stream_mode=mode)
    list(stream)
    assert stream.output == {"items": [0, 1, 2]}
    assert len(REDUCED) == 3


def test_known_reducers_get_no_copies() -> None:
    """`operator.add` changes neither side: a growing list is copied once per write, by it."""

    class Growing(TypedDict):
        items: Annotated[List[int], operator.add]

    Growing.__annotations__["items"] = Annotated[List[int], operator.add]
    found = [
        per_unit(reading(Growing, lambda state: {"items": [1]}, {"items": list(range(size))}, "updates"))
        for size in (100, 10_000)
    ]
    assert found[0] == found[1]
