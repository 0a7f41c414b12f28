"""Copies of what leaves the state."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgraph._streams.copying import CONTAINERS, copy_containers

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
