"""The cache in memory by itself, and the default keys."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from streamgraph.cache.memory import InMemoryCache
from streamgraph.types import CachePolicy
from support.leaks import light_collections as light_collections
from support.leaks import no_thread_left as no_thread_left
from support.waiting import run

ADDRESS = (("n",), "k")


def test_default_key() -> None:
    """Equal inputs have the same key in any order of their keys, and different ones do not."""
    key = CachePolicy().key_func
    assert key({"a": 1, "b": [{"c": 2, "d": {3, 4}}]}) == key({"b": [{"d": {4, 3}, "c": 2}], "a": 1})
    others = [{"a": 1}, {"a": "1"}, {"a": [1]}, {"b": 1}, {"a": 1, "b": None}, {"a": {1: 2}}, {"a": [1, 2]}]
    assert len({key(other) for other in others}) == len(others)


@pytest.mark.parametrize(("one", "other"), [({}, []), ({1: 2}, [(1, 2)]), ({1: 2}, [[1, 2]])])
def test_default_key_of_other_types(one: Any, other: Any) -> None:
    """A mapping and a list are different inputs, also if they hold the same."""
    key = CachePolicy().key_func
    assert key({"a": one}) != key({"a": other})


def test_default_key_of_equal_inputs() -> None:
    """Inputs that are equal have the same key, however they came to be equal."""
    key, text = CachePolicy().key_func, "text"
    assert key({"a": {0, 8, 16}}) == key({"a": {16, 8, 0}})
    assert key({"a": text, "b": text}) == key({"a": text, "b": "".join(list(text))})


def test_memory() -> None:
    """The cache by itself: values go in and come out as copies, by namespace and key."""
    cache, value = InMemoryCache(), {"deep": [1]}
    cache.set({ADDRESS: (value, None), (("n", "m"), "k"): ("other", None)})
    value["deep"].append(2)
    cache.get([ADDRESS])[ADDRESS]["deep"].append(3)
    assert cache.get([ADDRESS, (("n",), "missing")]) == {ADDRESS: {"deep": [1]}}
    assert run(cache.aget([ADDRESS])) == {ADDRESS: {"deep": [1]}}
    run(cache.aset({ADDRESS: ("new", None)}))
    cache.clear([("n", "m")])
    assert cache.get([ADDRESS, (("n", "m"), "k")]) == {ADDRESS: "new"}
    run(cache.aclear())
    assert cache.get([ADDRESS]) == {}


def test_memory_in_threads() -> None:
    """Threads can share it."""
    cache, errors = InMemoryCache(), []

    def work(number: int) -> None:
        try:
            for index in range(200):
                cache.set({(("n", str(number)), str(index)): (index, 0.0001 if index % 2 else None)})
                cache.get([((("n", str(number)), str(index)))])
                cache.clear([("n", str(number - 1))])
        except Exception as error:
            errors.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
