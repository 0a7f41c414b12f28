"""Entries that are made at the first look."""

from __future__ import annotations

import copy
import json
from typing import Any, Callable, Dict, List

import pytest

from streamgraph._langchain.lazy_entries import Entries, LazyEntries


def more(known: Dict[str, Any]) -> Dict[str, Any]:
    return {"more": len(known)}


def lazy(known: Dict[str, Any], make: Callable[[Dict[str, Any]], Dict[str, Any]]) -> LazyEntries:
    entries = LazyEntries(known)
    entries.make = make
    return entries


LOOKS: List[Callable[[Any], Any]] = [
    lambda entries: entries["more"],
    lambda entries: entries.get("more"),
    lambda entries: {**entries}["more"],
    lambda entries: dict(entries)["more"],
    lambda entries: entries.copy()["more"],
    lambda entries: copy.copy(entries)["more"],
    lambda entries: {"a": 2, **entries}["more"],
    lambda entries: dict([*entries.items()])["more"],
    lambda entries: json.loads(json.dumps(entries))["more"],
    lambda entries: entries.pop("more"),
    lambda entries: entries.setdefault("more", 5),
    lambda entries: len(entries) - 1,
    lambda entries: int("more" in entries),
    lambda entries: int("more" in list(entries)),
    lambda entries: int("more" in repr(entries)),
    lambda entries: int(entries == {"a": 1, "more": 1}),
    lambda entries: list(entries.values())[-1],
    lambda entries: sum(key == "more" for key in entries.keys()),
]


@pytest.mark.parametrize("look", LOOKS, ids=range(len(LOOKS)))
def test_every_look_makes_them(look: Callable[[Any], Any]) -> None:
    """However somebody looks, the entries are there, and made once."""
    made = []

    def make(known: Dict[str, Any]) -> Dict[str, Any]:
        made.append(known)
        return more(known)

    entries = lazy({"a": 1}, make)
    assert made == []
    assert look(entries) == 1
    assert type(entries) is Entries
    assert made == [{"a": 1}]
    assert entries.get("more", 1) == 1
    assert made == [{"a": 1}]


def test_written_entries_stay() -> None:
    """What is written is not overwritten later."""
    entries = lazy({"a": 1}, more)
    entries["more"] = "mine"
    assert entries["more"] == "mine"
    entries = lazy({"a": 1}, more)
    entries.update(more="mine")
    assert dict(entries) == {"a": 1, "more": "mine"}


def test_it_is_a_dict() -> None:
    """Libraries check for dicts."""
    assert isinstance(lazy({}, more), dict)
