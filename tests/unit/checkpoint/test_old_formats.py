"""What started a node in formats 1 and 2; `scenarios/saved/test_old_threads.py` reads real ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from typing_extensions import TypedDict

from streamgraph._checkpoint.old_formats import OldIds, old_ids, renamed_channels, renamed_writes
from streamgraph._checkpoint.reading import read
from streamgraph._core.frontier import Frontier
from streamgraph._types import Send
from streamgraph.graph import START, StateGraph

RECORD = "1f1ea64a-5e81-6f3c-bfff-c9a2632e5298"


class State(TypedDict, total=False):
    key: Any


def plan() -> Any:
    builder = StateGraph(State)
    for name in "abcd":
        builder.add_node(name, lambda state: {})
    return builder.add_edge(START, "a").add_edge("c", "d").add_edge(["a", "b"], "c").compile()._plan


def test_names() -> None:
    """A node that has just run, here `c`, starts the nodes at its edges."""
    stored = SimpleNamespace(
        config={},
        checkpoint={
            "v": 2,
            "id": RECORD,
            "channel_values": {"key": 1, "start:a": None, "branch:a:choose:b": "a", "c": "c", "other": 2},
            "channel_versions": {},
            "versions_seen": {},
            "pending_sends": [Send("b", {"key": 5})],
        },
        metadata={"step": 3, "source": "loop"},
        pending_writes=None,
    )
    record = read(plan(), stored, ()).record
    assert (record.values, record.frontier.due, record.others) == ({"key": 1}, {"a", "b", "d"}, {"other": 2})
    assert record.frontier.sends == (Send("b", {"key": 5}),)


def test_what_has_started_a_node() -> None:
    channels = {"c": "c", "branch:a:choose:d": "a", "join:a+b:c": {"a", "b"}, "branch:to:b": None, "branch:x:y:gone": 1}
    renamed, started = renamed_channels(plan(), channels)
    assert renamed == {
        "branch:to:d": None,
        "join:a+b:c": {"a", "b"},
        "branch:to:b": None,
        "branch:x:y:gone": 1,
    }
    assert started == {"d": ["c", "branch:a:choose:d"], "c": ["join:a+b:c"]}


def test_writes() -> None:
    writes = [("1", "key", 5), ("1", "c", "c"), ("1", "branch:c:choose:b", "c"), ("2", "start:a", "__start__")]
    assert renamed_writes(plan(), writes) == [
        ("1", "key", 5),
        ("1", "__no_writes__", None),
        ("1", "branch:to:b", None),
        ("2", "branch:to:a", None),
    ]


def test_ids_are_those_under_which_something_is_stored() -> None:
    """Format 2 was stored with the ids of format 1 as well."""
    frontier, started = Frontier(0), {"d": ["c"]}
    for version in (1, 2):
        id_ = OldIds(RECORD, (), version, started).by_edge(1, "d", ())
        found = old_ids({"id": RECORD, "v": 2}, (), started, frontier, {id_})
        assert found.by_edge(1, "d", ("branch:to:d",)) == id_
    assert old_ids({"id": RECORD, "v": 2}, (), started, frontier, ()).by_edge(1, "d", ()) == id_
