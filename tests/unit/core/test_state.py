"""The values of a run: reading them out, folding updates in."""

from __future__ import annotations

from operator import add

import pytest

from streamgraph._core.plan import ROOT_KEY, Channel, StateView
from streamgraph._core.state import State, as_result, as_view
from streamgraph.errors import InvalidUpdateError
from streamgraph.types import Overwrite
from unit.core.plans import channels, plan


def state(**keys):
    """A state with the lists `x` and `z` and the plain keys `p` and `q`, which has these values."""
    made = State(plan([], keys=channels("p", "q", lists=("x", "z"))))
    made.store(keys)
    return made


def test_starts_with_the_defaults():
    """Keys with a reducer start with what their type makes; plain keys are absent; nothing counts as written."""
    made = state()
    assert made.snapshot() == {"x": [], "z": []}
    assert not made.written
    made.store({"p": 1})
    assert made.written


def test_a_reducer_without_a_default():
    """If the type makes no initial value, the first write is stored as it is and the next one is combined with it."""
    made = State(plan([], keys={"x": Channel("x", add)}))
    assert made.snapshot() == {}
    made.store(made.fold([("a", [("x", 1)])]))
    assert made.snapshot() == {"x": 1}
    assert made.fold([("a", [("x", 2)]), ("b", [("x", 3)])]) == {"x": 6}


def test_defaults_are_not_shared():
    """Two runs of one graph have initial values of their own."""
    graph = plan([])
    one, two = State(graph), State(graph)
    one.values["x"].append(1)
    assert two.snapshot() == {"x": []}


def test_order_of_keys():
    """Keys come in the order of the schema, whatever the order of the writes."""
    made = State(plan([], keys=channels("b", "a", "c", lists=())))
    made.store({"c": 1})
    made.store({"a": 2})
    made.store({"b": 3})
    assert list(made.snapshot()) == ["b", "a", "c"]


def test_fold_stores_nothing():
    """Folding is a question; only storing changes the state."""
    made = state(x=[1])
    assert made.fold([("a", [("x", [2]), ("p", 5)])]) == {"x": [1, 2], "p": 5}
    assert made.snapshot() == {"x": [1], "z": []}


def test_fold_in_order():
    """Writes count in the given order, within a task and from task to task."""
    assert state(x=[0]).fold([("a", [("x", [1]), ("x", [2])]), ("b", [("x", [3])])]) == {"x": [0, 1, 2, 3]}


@pytest.mark.parametrize("first", ["a", "b"])
def test_two_writes_to_a_plain_key(first):
    """Two writes to a key without a reducer name both nodes and the key."""
    with pytest.raises(InvalidUpdateError) as raised:
        state().fold([(first, [("p", 1)]), ("b", [("q", 1), ("p", 1)])])
    assert raised.value.key == "p"
    assert all(text in str(raised.value) for text in (repr(first), "'b'", "'p'", "Annotated"))


@pytest.mark.parametrize(
    "wrap",
    [
        Overwrite,
        lambda value: {"__overwrite__": value},
        lambda value: {"value": value, "type": "__overwrite__"},
    ],
    ids=["object", "dict", "json"],
)
def test_overwrite(wrap):
    """An overwrite replaces the value; other writes of its step to the key count for nothing."""
    made = state(x=[0])
    for writes in (
        [("a", [("x", wrap([9]))])],
        [("a", [("x", [1])]), ("b", [("x", wrap([9]))])],
        [("a", [("x", wrap([9]))]), ("b", [("x", [1])])],
    ):
        assert made.fold(writes) == {"x": [9]}
    assert made.fold([("a", [("p", wrap(1))])]) == {"p": 1}


def test_two_overwrites():
    """Two overwrites of a key in one step name both nodes and the key."""
    with pytest.raises(InvalidUpdateError, match=r"'a' and 'b'.*key 'x'"):
        state().fold([("a", [("x", Overwrite([1]))]), ("b", [("x", Overwrite([1]))])])


def test_a_dict_that_only_looks_like_an_overwrite():
    """A dict with more keys than `__overwrite__` is an ordinary value."""
    value = {"__overwrite__": 1, "more": 2}
    assert state().fold([("a", [("p", value)])]) == {"p": value}


def test_reducer_that_raises():
    """An error in a reducer is raised as it is, with a note that names the key and the node."""
    with pytest.raises(TypeError) as raised:
        state(x=[0]).fold([("bad", [("x", 5)])])
    assert raised.value.__notes__ == ["In the reducer of key 'x', with what node 'bad' wrote."]


def test_snapshot_of_some_keys():
    """A snapshot has the keys asked for that have a value, in the order asked for."""
    assert list(state(x=[1], p=2).snapshot(["p", "q", "x"]).items()) == [("p", 2), ("x", [1])]


def test_what_was_read_is_apart():
    """Changing a snapshot, what a node read, or what it read with fresh values changes nothing here, to one level."""
    made = state(x=[1], p={"deep": [1]})
    readers = (StateView(), StateView(("x", "p")), StateView(build=lambda seen: seen))
    for seen in (made.snapshot(), made.snapshot(["x", "p"]), *(made.read(reader, 1, 9) for reader in readers)):
        seen["x"].append(2)
        seen["p"]["new"] = 2
    fresh = {"z": [1]}
    seen = made.read(StateView(), 1, 9, fresh)
    seen["x"].append(2)
    seen["z"].append(2)
    seen["p"].clear()
    assert made.snapshot() == {"x": [1], "z": [], "p": {"deep": [1]}}
    assert fresh == {"z": [1]}


def test_what_is_read_of_a_key_that_changes_its_type():
    """Whether a value has to be copied is seen anew whenever the key is written."""
    made = state(p=1)
    made.store({"p": [1]})
    made.snapshot()["p"].append(2)
    assert made.snapshot()["p"] == [1]
    made.store({"p": "text"})
    assert made.snapshot()["p"] == "text"


def test_read_keys():
    """A reader sees its keys, if they have a value, and what was freshly written before what is stored."""
    made = state(x=[1], p=1)
    assert made.read(StateView(("x", "q")), 1, 9) == {"x": [1]}
    assert made.read(StateView(("x", "q")), 1, 9, {"q": 2, "z": [5]}) == {"x": [1], "q": 2}
    assert made.read(StateView(), 1, 9, {"p": 2}) == {"x": [1], "z": [], "p": 2}


def test_read_managed():
    """Managed values are computed of the step and the limit, and given to what builds the node's input."""
    reader = StateView(
        ("p",), build=lambda seen: tuple(seen.items()), managed={"left": lambda step, limit: limit - step}
    )
    assert state(p=1).read(reader, 2, 9) == (("p", 1), ("left", 7))


def test_root():
    """A state of one value is read as that value."""
    made = State(plan([], keys={ROOT_KEY: Channel(ROOT_KEY, add, list)}))
    made.store(made.fold([("a", [(ROOT_KEY, [1])])]))
    seen = made.read(StateView(root=True), 1, 9)
    seen.append(2)
    assert made.read(StateView(root=True), 1, 9) == [1]
    assert made.read(StateView(root=True), 1, 9, {ROOT_KEY: 7}) == 7


@pytest.mark.parametrize(
    ("writes", "view", "result"),
    [
        ([], None, {}),
        ([("x", [1]), ("p", 2)], {"x": [1], "p": 2}, {"x": [1], "p": 2}),
        (
            [("x", [1]), ("p", 2), ("x", [3])],
            [{"x": [1]}, {"p": 2}, {"x": [3]}],
            {"x": {"$writes": [[1], [3]]}, "p": 2},
        ),
        ([(ROOT_KEY, 1)], 1, {ROOT_KEY: 1}),
        ([(ROOT_KEY, 1), (ROOT_KEY, 2)], [1, 2], {ROOT_KEY: {"$writes": [1, 2]}}),
    ],
)
def test_writes_as_they_are_shown(writes, view, result):
    """Writes are a mapping, a list where a key was written several times, or a bare value."""
    assert as_view(writes) == view
    assert as_result(writes) == result


def test_shown_writes_are_apart():
    """Changing what is shown of writes does not change the writes."""
    writes = [("x", [1]), ("x", [2]), ("p", {"deep": []})]
    for part in as_view(writes):
        for value in part.values():
            value.clear()
    shown = as_result(writes)
    shown["x"]["$writes"][0].clear()
    shown["p"].clear()
    as_view(writes[2:])["p"]["new"] = 1
    assert writes == [("x", [1]), ("x", [2]), ("p", {"deep": []})]
