"""A record, written as channels and read again, is the same record."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from streamgraph._checkpoint.channels import from_channels, from_writes, to_channels, to_writes
from streamgraph._core.frontier import Frontier
from streamgraph._core.results import TaskResult
from streamgraph.graph import START, StateGraph
from streamgraph.types import Send


class State(TypedDict, total=False):
    key: int


def _plan() -> Any:
    builder = StateGraph(dict)
    for name in "abcd":
        builder.add_node(name, lambda state: None, defer=name == "d")
    builder.add_edge(START, "a").add_edge(["a", "b"], "c").add_edge(["b", "c"], "d").add_edge("a", "b")
    return builder.compile()._plan


PLAN = _plan()
JOINS = {join.target: join for join in PLAN.joins.values()}
SENDS = st.lists(st.builds(Send, st.sampled_from("abc"), st.integers()), max_size=3).map(tuple)


@st.composite
def frontiers(draw: Any) -> Frontier:
    """What a run may be before: due nodes, deferred ones, joins in progress and complete ones."""
    frontier = Frontier(draw(st.integers(0, 9)), draw(st.sets(st.sampled_from("ab"))), draw(SENDS))
    for target, join in JOINS.items():
        arrived = frozenset(draw(st.sets(st.sampled_from(sorted(join.sources)))))
        if arrived:
            frontier.joined[join.trigger] = arrived
        if arrived == join.sources:
            (frontier.due if target == "c" or draw(st.booleans()) else frontier.deferred).add(target)
    if not frontier.deferred and "d" not in frontier.due and draw(st.booleans()):
        frontier.deferred.add("d")
    return frontier


@given(frontiers(), st.one_of(st.none(), st.dictionaries(st.text(), st.integers())))
def test_there_and_back(frontier: Frontier, value: Any) -> None:
    values = {} if value is None else {"__root__": value}
    channels = to_channels(PLAN, values, frontier)
    read, again, others = from_channels(PLAN, channels, frontier.step)
    assert (read, again, others) == (values, frontier, {})
    # Serializers make lists of tuples.
    listed = {name: list(item) if isinstance(item, tuple) else item for name, item in channels.items()}
    assert from_channels(PLAN, listed, frontier.step)[1] == frontier


def test_what_the_graph_does_not_have_is_kept() -> None:
    found = from_channels(PLAN, {"old": 1, "branch:to:gone": None, "__root__": 2}, 3)
    assert (found[0], found[2]) == ({"__root__": 2}, {"old": 1, "branch:to:gone": None})


def test_results() -> None:
    node = PLAN.nodes["a"]
    result = TaskResult((("__root__", 1),), ("c", Send("b", 2)))
    writes = to_writes(node, result)
    assert writes == [
        ("__root__", 1),
        ("branch:to:b", None),
        ("join:a+b:c", "a"),
        ("branch:to:c", None),
        ("__pregel_tasks", Send("b", 2)),
    ]
    read = from_writes(PLAN, writes)
    assert (read.writes, set(map(repr, read.routes))) == (
        result.writes,
        {repr("b"), repr("c"), repr(Send("b", 2))},
    )
    assert to_writes(PLAN.nodes["d"], TaskResult(())) == [("__no_writes__", None)]
    assert from_writes(PLAN, [("__no_writes__", None)]) == TaskResult((), ())
