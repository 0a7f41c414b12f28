"""Ids of tasks: stable, distinct, in the shape of a UUID."""

from __future__ import annotations

import re

from streamgraph._core.ids import child_seed, task_id

SEED = b"0123456789abcdef"


def test_shape():
    """An id looks like a UUID."""
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", task_id(SEED, 1, "node", -1))


def test_same_task_same_id():
    """The same run, step and task give the same id."""
    assert task_id(SEED, 3, "node", 2) == task_id(SEED, 3, "node", 2)


def test_everything_counts():
    """Run, step, name and index each change the id, also where their digits could run together."""
    ids = {
        task_id(seed, step, name, index)
        for seed in (SEED, SEED[::-1])
        for step in (1, 11)
        for name in ("node", "1:node", "")
        for index in (-1, 0, 1, 11)
    }
    assert len(ids) == 2 * 2 * 3 * 4


def test_child_seed():
    """A nested run has a seed of 16 bytes of its own for each task and each call."""
    seeds = {child_seed(task, call) for task in ("a", "b", "b|1") for call in range(12)}
    assert len(seeds) == 36
    assert {len(seed) for seed in seeds} == {16}
    assert child_seed("a", 0) == child_seed("a", 0)
