"""What is known of how keys have changed."""

from __future__ import annotations

import operator
from typing import Any, Dict, List

from streamgraph._core.changes import Appended, Changes, Merged
from streamgraph._core.channel_objects import Folded
from streamgraph._core.plan import Channel
from streamgraph.types import Overwrite

CHANNELS = {
    "added": Channel("added", operator.add),
    "merged": Channel("merged", operator.or_),
    "own": Channel("own", lambda left, right: [*left, *right]),
    "plain": Channel("plain"),
}
BEFORE: Dict[str, Any] = {"added": [1], "merged": {"a": 1}, "own": [1], "plain": [1]}


def changes_of(*steps: List[Any], before: Any = BEFORE) -> Dict[str, Any]:
    """How keys have changed after steps, each of which has the writes of its tasks."""
    changes = Changes(CHANNELS)
    for writes in steps:
        fresh = {key: None for pairs in writes for key, _ in pairs}
        changes.folded(fresh, [("node", pairs) for pairs in writes])
        changes.stored(fresh, before)
    found = changes.take()
    assert changes.take() == {}
    return found


def test_what_is_known() -> None:
    """Elements that were appended and entries that were merged are; another reducer may have done anything."""
    writes = [[("added", [2, 3]), ("merged", {"b": 1}), ("own", [2]), ("plain", [1, 2])]]
    assert changes_of(writes) == {"added": Appended(2), "merged": Merged({"b": None}), "own": None, "plain": None}
    assert changes_of(writes, before={})["added"] is None


def test_several_writes() -> None:
    """Those of several tasks, and of several steps, are one change."""
    writes = [[("added", [2]), ("merged", {"b": 1})], [("added", [3]), ("merged", {"c": 1})]]
    expected = {"added": Appended(2), "merged": Merged({"b": None, "c": None})}
    assert changes_of(writes) == expected
    assert changes_of(writes[:1], writes[1:]) == expected
    assert changes_of([[("added", [2])]], [[("added", Overwrite([]))]], [[("added", [3])]]) == {"added": None}


def test_values_that_replace() -> None:
    """A value that replaces the current one, in each of its forms, is no change of its elements."""
    for value in (Overwrite({}), {"__overwrite__": {}}, {"type": "__overwrite__", "value": {}}):
        assert changes_of([[("merged", value)]]) == {"merged": None}
    assert changes_of([[("merged", {"type": "x"})]]) == {"merged": Merged({"type": None})}
    assert changes_of([[("merged", {1: 2})]]) == {"merged": None}  # no name in JSON
    assert changes_of([[("added", (2,))]]) == {"added": None}


def test_values_that_were_made_elsewhere() -> None:
    """Values of which nothing is known are replaced; those that are stored twice have changed once."""
    changes = Changes(CHANNELS)
    changes.stored({"added": [1, 2]}, BEFORE)
    assert changes.take() == {"added": None}
    fresh = Folded({"added": [1, 2]})
    changes.folded(fresh, [("node", [("added", [2])])])
    changes.stored(fresh, BEFORE)
    changes.stored(fresh, BEFORE)
    assert changes.take() == {"added": Appended(1)}
