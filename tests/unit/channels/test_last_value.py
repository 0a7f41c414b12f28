"""The last value, at once or at the end."""

import pytest

from streamgraph.channels import LastValue, LastValueAfterFinish
from streamgraph.channels.base import MISSING
from streamgraph.errors import EmptyChannelError, InvalidUpdateError


def test_last_value():
    """One value in a step; nothing in a step changes nothing."""
    channel = LastValue(int, "x").from_checkpoint(MISSING)
    assert (channel.ValueType, channel.UpdateType, channel.key) == (int, int, "x")
    with pytest.raises(EmptyChannelError):
        channel.get()
    assert channel.checkpoint() is MISSING
    assert channel.update([3])
    assert not channel.update([])
    assert channel.get() == channel.checkpoint() == 3
    assert LastValue(int).from_checkpoint(3).get() == 3
    with pytest.raises(InvalidUpdateError, match=r"At key 'x': Can receive only one value per step.*Annotated"):
        channel.update([5, 6])
    assert LastValue(int) == LastValue(str) != LastValueAfterFinish(int)


def test_a_copy_is_another():
    channel = LastValue(int, "x")
    channel.update([1])
    copied = channel.copy()
    copied.update([2])
    assert (channel.get(), copied.get(), copied.key, copied.typ) == (1, 2, "x", int)


def test_after_finish():
    """The value can be read between the end of a run and the node that it starts."""
    channel = LastValueAfterFinish(int, "x").from_checkpoint(MISSING)
    assert not channel.finish()
    assert channel.checkpoint() is MISSING
    assert channel.update([1, 2])
    assert not channel.update([])
    assert not channel.is_available()
    assert not channel.consume()
    with pytest.raises(EmptyChannelError):
        channel.get()
    assert channel.finish()
    assert not channel.finish()
    assert (channel.get(), channel.checkpoint()) == (2, (2, True))
    again = channel.from_checkpoint(channel.checkpoint())
    assert (again.get(), again.key) == (2, "x")
    assert channel.consume()
    assert not channel.is_available()
    assert again.copy().get() == 2
    again.update([3])
    assert not again.is_available()
    assert LastValueAfterFinish(int) == LastValueAfterFinish(str)
