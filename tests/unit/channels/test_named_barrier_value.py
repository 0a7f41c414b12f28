"""Channels that wait for names."""

import pytest

from streamgraph.channels import NamedBarrierValue, NamedBarrierValueAfterFinish
from streamgraph.channels.base import MISSING
from streamgraph.errors import EmptyChannelError, InvalidUpdateError


def test_it_waits_for_all():
    channel = NamedBarrierValue(str, {"a", "b"}).from_checkpoint(MISSING)
    assert (channel.ValueType, channel.UpdateType) == (str, str)
    assert channel.update(["a"])
    assert not channel.update(["a"])
    assert not channel.update([])
    assert not channel.consume()
    with pytest.raises(EmptyChannelError):
        channel.get()
    again, copied = channel.from_checkpoint(channel.checkpoint()), channel.copy()
    assert channel.update(["b"])
    assert channel.is_available()
    assert channel.get() is None
    assert (again.seen, copied.seen) == ({"a"}, {"a"})
    assert channel.consume()
    assert not channel.is_available()
    assert channel == NamedBarrierValue(int, {"b", "a"}) != NamedBarrierValue(str, {"a"})


@pytest.mark.parametrize("kind", [NamedBarrierValue, NamedBarrierValueAfterFinish])
def test_other_names(kind):
    """The error names the closest right name."""
    channel = kind(str, {"alpha", "beta"})
    channel.key = "x"
    with pytest.raises(InvalidUpdateError, match=r"At key 'x': Value alpah not in .*Did you mean 'alpha'"):
        channel.update(["alpah"])
    assert channel.seen == set()


def test_after_finish():
    channel = NamedBarrierValueAfterFinish(str, {"a", "b"}).from_checkpoint(MISSING)
    assert not channel.finish()
    channel.update(["a", "b"])
    assert not channel.is_available()
    assert channel.finish()
    assert not channel.finish()
    assert channel.get() is None
    again = channel.from_checkpoint(channel.checkpoint())
    assert again.copy().is_available()
    assert channel.consume()
    assert not channel.consume()
    assert (channel.seen, channel.finished, again.seen) == (set(), False, {"a", "b"})
    assert channel == NamedBarrierValueAfterFinish(str, {"a", "b"}) != NamedBarrierValue(str, {"a", "b"})
