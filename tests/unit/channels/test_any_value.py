"""Any one of the values of a step."""

from streamgraph.channels import AnyValue, LastValue
from streamgraph.channels.base import MISSING


def test_any_value():
    """The last of several; a step without one empties it."""
    channel = AnyValue(int, "x").from_checkpoint(MISSING)
    assert (channel.ValueType, channel.UpdateType, channel.key) == (int, int, "x")
    assert not channel.update([])
    assert channel.update([1, 2])
    assert channel.get() == channel.copy().get() == channel.checkpoint() == 2
    assert AnyValue(int).from_checkpoint(2).get() == 2
    assert channel.update([])
    assert not channel.is_available()
    assert AnyValue(int) == AnyValue(str) != LastValue(int)
