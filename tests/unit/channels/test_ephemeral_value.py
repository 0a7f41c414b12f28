"""A value for the next step."""

import pytest

from streamgraph.channels import EphemeralValue
from streamgraph.channels.base import MISSING
from streamgraph.errors import InvalidUpdateError


def test_it_lasts_for_one_step():
    channel = EphemeralValue(int).from_checkpoint(MISSING)
    assert not channel.update([])
    assert channel.update([1])
    copied = channel.copy()
    assert channel.update([])
    assert (channel.is_available(), copied.get(), copied.guard) == (False, 1, True)
    assert EphemeralValue(int).from_checkpoint(1).get() == 1


def test_guard():
    """A guarded one refuses several values and says how to take them; another one takes the last."""
    channel = EphemeralValue(int)
    channel.key = "x"
    with pytest.raises(InvalidUpdateError, match=r"At key 'x': .*one value per step.*guard=False"):
        channel.update([1, 2])
    open_to_all = EphemeralValue(int, guard=False)
    open_to_all.update([1, 2])
    assert open_to_all.get() == open_to_all.copy().get() == 2
    assert EphemeralValue(int) == EphemeralValue(str) != open_to_all
