"""A value that a reducer makes of all values of a step at once."""

from typing import Any, List, NamedTuple, Sequence

import pytest

from streamgraph.channels import DeltaChannel
from streamgraph.channels.base import MISSING
from streamgraph.errors import EmptyChannelError, InvalidUpdateError
from streamgraph.types import Overwrite

BATCHES: List[Any] = []


def joined(state, writes):
    """All lists, one after the other."""
    BATCHES.append(list(writes))
    return [*state, *(item for write in writes for item in write)]


def test_it_reduces_a_step_at_once():
    channel = DeltaChannel(joined).from_checkpoint(MISSING)
    assert channel.get() == []
    BATCHES.clear()
    assert channel.update([[1], [2, 3]])
    assert not channel.update([])
    assert channel.get() == [1, 2, 3]
    assert BATCHES == [[[1], [2, 3]]]


def test_before_a_run_has_made_it():
    """It has no value, and takes one all the same."""
    channel = DeltaChannel(joined, Sequence[int])
    assert (channel.typ, channel.ValueType, channel.UpdateType) == (list, list, list)
    with pytest.raises(EmptyChannelError):
        channel.get()
    channel.update([[1]])
    assert channel.get() == [1]


def test_what_is_saved():
    """Nothing; it is made from a snapshot, or from a value that was saved under another channel."""

    class _DeltaSnapshot(NamedTuple):
        value: List[int]

    channel = DeltaChannel(joined)
    channel.update([[1]])
    assert channel.checkpoint() is MISSING
    assert channel.from_checkpoint(_DeltaSnapshot([7])).get() == [7]
    assert channel.from_checkpoint([8]).get() == [8]
    assert channel.from_checkpoint(None).get() == []


def test_a_copy_has_its_own_container():
    channel = DeltaChannel(lambda state, writes: state.extend(writes) or state, list)
    channel.update([1])
    copied = channel.copy()
    copied.update([2])
    assert (channel.get(), copied.get()) == ([1], [1, 2])


def test_overwrite():
    """It replaces the value, and whatever else the step has written is lost; two are an error."""
    channel = DeltaChannel(joined)
    channel.update([[1]])
    given = [5]
    channel.update([[2], Overwrite(given), [3]])
    assert channel.get() == [5]
    assert channel.get() is not given
    channel.update([{"__overwrite__": None}])
    assert channel.get() == []
    with pytest.raises(InvalidUpdateError, match="only one Overwrite"):
        channel.update([Overwrite([1]), Overwrite([2])])


def test_replaying():
    """All saved writes at once; of several that replace the value the last counts."""
    channel = DeltaChannel(joined).from_checkpoint([0])
    BATCHES.clear()
    channel.replay_writes([("t1", "x", [1]), ("t1", "x", [2])])
    assert (channel.get(), BATCHES) == ([0, 1, 2], [[[1], [2]]])
    channel.replay_writes([("t", "x", [3]), ("t", "x", Overwrite([9])), ("t", "x", Overwrite([5])), ("t", "x", [6])])
    assert channel.get() == [5, 6]
    channel.replay_writes([])
    assert channel.get() == [5, 6]


def test_snapshot_frequency():
    """It is positive, and two channels that differ in it differ."""
    with pytest.raises(ValueError, match="snapshot_frequency must be a positive int"):
        DeltaChannel(joined, list, snapshot_frequency=0)
    assert DeltaChannel(joined) == DeltaChannel(joined, dict) != DeltaChannel(joined, snapshot_frequency=5)
    assert DeltaChannel(joined) != DeltaChannel(test_overwrite)
