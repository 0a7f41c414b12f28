"""Copies of what leaves the state."""

from __future__ import annotations

import copy
import json
import operator
import pickle
import threading
import types
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgraph._streams.copying import CONTAINERS, LARGE, copy_containers, own_input, plain_input

LEAVES = st.none() | st.integers() | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.builds(deque, st.lists(inner, max_size=3))
        | st.builds(lambda items: defaultdict(list, items), st.dictionaries(st.text(max_size=2), inner, max_size=2))
        | st.sets(st.integers(), max_size=3)
        | st.builds(bytearray, st.binary(max_size=3))
    ),
    max_leaves=12,
)


class Thing:
    """Something that is no container."""


class Names(list):
    """A subclass of a container."""


def spoil(value):
    """Change every mutable container in a value, at every depth."""
    if isinstance(value, dict):
        for item in list(value.values()):
            spoil(item)
        value["spoilt"] = True
    elif isinstance(value, (list, deque)):
        for item in list(value):
            spoil(item)
        value.append("spoilt")
    elif isinstance(value, tuple):
        for item in value:
            spoil(item)
    elif isinstance(value, set):
        value.add("spoilt")
    elif isinstance(value, bytearray):
        value.extend(b"spoilt")


@settings(derandomize=True, deadline=None, max_examples=60)
@given(VALUES)
def test_equal_and_apart(value):
    """A copy is equal and of the same type, and whatever is done to it leaves the original as it was."""
    told = repr(value)
    copied = copy_containers(value)
    assert copied == value
    assert repr(copied) == told
    spoil(copied)
    assert repr(value) == told


@settings(derandomize=True, deadline=None, max_examples=60)
@given(VALUES)
def test_changes_of_the_original(value):
    """Whatever is done to the original leaves a copy as it was."""
    copied = copy_containers(value)
    told = repr(copied)
    spoil(value)
    assert repr(copied) == told


@pytest.mark.parametrize("value", [None, 1, "text", b"bytes", frozenset((1,)), Thing(), Names([1]), print])
def test_other_objects_are_handed_out_as_they_are(value):
    """What is no container of Python's own is not copied."""
    assert copy_containers(value) is value


def test_objects_inside_stay_the_same():
    """Objects in containers keep their identity."""
    thing = Thing()
    copied = copy_containers({"deep": [(thing, [thing])]})
    assert copied["deep"][0][0] is thing
    assert copied["deep"][0][1][0] is thing


@pytest.mark.parametrize(
    "value",
    [[1], {"a": 1}, {1}, bytearray(b"a"), deque([1]), defaultdict(int, a=1), OrderedDict(a=1), Counter("aab")],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_container_is_copied(value):
    """Each type of container gives a new object of its own type."""
    assert type(value) in CONTAINERS
    copied = copy_containers(value)
    assert copied is not value
    assert copied == value
    assert type(copied) is type(value)


def test_what_a_container_remembers():
    """A deque keeps its bound and a defaultdict its factory."""
    assert copy_containers(deque([1, 2], maxlen=2)).maxlen == 2
    assert copy_containers(defaultdict(list)).default_factory is list


def test_tuples():
    """A tuple is only copied if there is something to copy in it."""
    plain = (1, ("a", None))
    assert copy_containers(plain) is plain
    holder = (1, [2])
    copied = copy_containers(holder)
    assert copied == holder
    assert copied[1] is not holder[1]


def test_cycles():
    """A list that holds itself, directly or by way of others, is copied in its shape."""
    one = [1]
    one.append(one)
    copied = copy_containers(one)
    assert copied[1] is copied
    assert copied is not one
    two = {"list": [], "pair": ()}
    two["list"].append(two)
    two["pair"] = (two["list"],)
    copied = copy_containers(two)
    assert copied["list"][0] is copied
    assert copied["pair"][0] is copied["list"]
    three = deque([({},)])
    three[0][0]["back"] = three
    copied = copy_containers(three)
    assert copied[0][0]["back"] is copied


@pytest.mark.parametrize(
    "shared", [[1], {"a": 1}, deque([1]), {1}, bytearray(b"a"), Counter("a")], ids=lambda value: type(value).__name__
)
def test_shared_references_stay_shared(shared):
    """A container that occurs twice occurs twice in the copy, as one."""
    copied = copy_containers({"one": shared, "two": [shared]})
    assert copied["one"] is copied["two"][0]
    assert copied["one"] is not shared


def test_a_memo_joins_several_calls():
    """With a common memo, what two values share is still shared in their copies."""
    memo: dict = {}
    shared = [1]
    assert copy_containers([shared], memo)[0] is copy_containers((0, shared), memo)[1]


LARGE_LIST = list(range(LARGE))

WAYS = {
    "item": lambda state: state["a"],
    "get": lambda state: state.get("a"),
    "splat": lambda state: {**state}["a"],
    "dict": lambda state: dict(state)["a"],
    "keywords": lambda state: (lambda **given: given["a"])(**state),
    "update": lambda state: (lambda other: other.update(state) or other["a"])({}),
    "copy": lambda state: state.copy()["a"],
    "copied": lambda state: copy.copy(state)["a"],
    "deep": lambda state: copy.deepcopy(state)["a"],
    "values": lambda state: next(iter(state.values())),
    "items": lambda state: dict(state.items())["a"],
    "pop": lambda state: state.pop("a"),
    "last": lambda state: state.pop("b") and state.popitem()[1],
    "setdefault": lambda state: state.setdefault("a", []),
    "subclass": lambda state: OrderedDict(state)["a"],
    "in place": lambda state: operator.ior({}, state)["a"],
    "or": lambda state: (state | {})["a"],
    "ror": lambda state: ({} | state)["a"],
    "pickle": lambda state: pickle.loads(pickle.dumps(state))["a"],
    "getter": lambda state: operator.itemgetter("a")(state),
    "proxy": lambda state: types.MappingProxyType(state)["a"],
    "chain": lambda state: ChainMap({}, state)["a"],
}


def large_input():
    """A dict with one large value, that has yet to be copied."""
    return own_input({"a": LARGE_LIST, "b": [1]})


@pytest.mark.parametrize("way", WAYS)
def test_copied_when_asked_for(way):
    """In whatever way a large value is got out of the input of a node, it is a copy."""
    state = large_input()
    assert isinstance(state, dict)
    assert dict.__getitem__(state, "a") is LARGE_LIST
    got = WAYS[way](state)
    assert got == LARGE_LIST
    assert got is not LARGE_LIST


def test_copied_once():
    """What was changed stays so."""
    state = large_input()
    state["a"].append("mine")
    assert state["a"][-1] == {**state}["a"][-1] == "mine"
    assert len(LARGE_LIST) == LARGE


def test_it_is_like_any_dict():
    """It can be changed, compared, shown and turned into JSON like a dict."""
    state = large_input()
    plain = {"a": LARGE_LIST, "b": [1]}
    assert (state == plain, repr(state), list(state), len(state)) == (True, repr(plain), ["a", "b"], 2)
    assert json.dumps(state) == json.dumps(plain)
    assert type(pickle.loads(pickle.dumps(state))) is dict
    mine: list = []
    state["a"] = mine
    assert state["a"] is mine
    state |= {"c": 1}
    state.update(d=2)
    del state["b"]
    assert (list(state), state.get("b", "none")) == (["a", "c", "d"], "none")
    state.clear()
    assert (state, list(state.values())) == ({}, [])


def test_another_one_of_its_type_is_a_plain_dict():
    """Code that makes a dict of the type of its input gets one that works."""
    kind = type(large_input())
    for made in (kind(a=1), kind({"a": 1}), kind([("a", 1)]), kind.fromkeys("a", 1)):
        assert type(made) is dict
        assert made == {"a": 1}


def test_attempts_begin_anew():
    """Another input for the next attempt has nothing of what was changed in the last one."""
    first = large_input()
    second = own_input(first)
    first["a"].append("spoilt")
    assert second["a"] == LARGE_LIST


def test_two_threads_get_the_same_copy():
    """Threads that ask for a value at the same time change the same list."""
    for _ in range(200):
        state, barrier, got = large_input(), threading.Barrier(4, timeout=20), []

        def ask(state=state, barrier=barrier, got=got):
            barrier.wait()
            got.append(state["a"])

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(item is got[0] for item in got)
        assert got[0] is not LARGE_LIST


def test_chunks_are_plain():
    """What a consumer gets is a dict, and no class of this package."""
    shown = plain_input(large_input())
    assert type(shown) is dict
    assert shown == {"a": LARGE_LIST, "b": [1]}
    assert shown["a"] is not LARGE_LIST
