"""Lists of what was written."""

import collections.abc
from typing import Union

import pytest

from streamgraph.channels import Topic
from streamgraph.channels.base import MISSING
from streamgraph.errors import EmptyChannelError


def test_of_one_step():
    """Each step begins with an empty list."""
    channel = Topic(str).from_checkpoint(MISSING)
    assert channel.ValueType == collections.abc.Sequence[str]
    assert channel.UpdateType == Union[str, list[str]]
    assert channel.update(["a", ["b", "c"]])
    assert channel.get() == ["a", "b", "c"]
    assert channel.update(["d"])
    assert channel.get() == channel.checkpoint() == ["d"]
    assert channel.update([])
    assert not channel.update([])
    assert not channel.is_available()
    with pytest.raises(EmptyChannelError):
        channel.get()


def test_accumulating():
    channel = Topic(str, accumulate=True)
    channel.update(["a"])
    assert not channel.update([])
    assert channel.update([["b"]])
    assert channel.get() == ["a", "b"]
    assert channel == Topic(int, True) != Topic(str)


@pytest.mark.parametrize("accumulate", [True, False])
def test_nobody_shares_its_list(accumulate):
    """What it gave and what it was made from stay as they are."""
    channel = Topic(str, accumulate).from_checkpoint(saved := ["a"])
    seen, copied = channel.get(), channel.copy()
    channel.update(["b"])
    assert (saved, seen, copied.get()) == (["a"], ["a"], ["a"])
    seen.append("x")
    assert "x" not in channel.get()


def test_an_old_checkpoint():
    """LangGraph once saved a pair."""
    assert Topic(str).from_checkpoint(({"a"}, ["a"])).get() == ["a"]
