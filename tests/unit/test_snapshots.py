"""Saved states as data, and what a saver is."""

from __future__ import annotations

import pickle
from collections import deque

import pytest

from streamgraph.types import (
    CacheKey,
    Interrupt,
    PregelExecutableTask,
    PregelTask,
    StateSnapshot,
    StateUpdate,
    ensure_valid_checkpointer,
)


class Saver:
    """Something that has a saver's methods."""

    def get_tuple(self, config):
        """Nothing is saved."""

    def list(self, config, **options):
        """Nothing is saved."""

    def put(self, config, checkpoint, metadata, new_versions):
        """Nothing is saved."""

    def put_writes(self, config, writes, task_id, task_path=""):
        """Nothing is saved."""


@pytest.mark.parametrize("given", [None, True, False, Saver()])
def test_valid_checkpointers(given):
    """A saver is what has a saver's methods; the others say where to save."""
    assert ensure_valid_checkpointer(given) is given


@pytest.mark.parametrize(
    ("given", "what"), [(Saver, "the class Saver"), ("memory", "an object of type str"), (1, "an object of type int")]
)
def test_invalid_checkpointers(given, what):
    """A class of savers is not one."""
    with pytest.raises(TypeError, match=f"Invalid checkpointer provided: {what}. Give a saver"):
        ensure_valid_checkpointer(given)


def test_tuples():
    """They compare, unpack and pickle like tuples."""
    task = PregelTask("1", "node", ("__pregel_pull", "node"), interrupts=(Interrupt("sure?", "2"),))
    snapshot = StateSnapshot({"x": 1}, ("node",), {}, None, None, None, (task,), task.interrupts)
    assert pickle.loads(pickle.dumps(snapshot)) == snapshot
    assert (task.error, task.state, task.result) == (None, None, None)
    assert snapshot.next == snapshot[1] == ("node",)
    assert StateUpdate({"x": 1}) == ({"x": 1}, None, None)
    assert CacheKey(("a",), "b", None).ttl is None


def test_executable_task():
    """It cannot be changed."""
    task = PregelExecutableTask("node", 1, None, deque(), {}, ["a"], [], None, "1", ())
    assert (task.writers, task.subgraphs, task.timeout) == ((), (), None)
    with pytest.raises(AttributeError):
        task.name = "other"
