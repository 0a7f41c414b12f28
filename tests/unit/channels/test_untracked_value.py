"""A value that is not saved."""

import pytest

from streamgraph.channels import EphemeralValue, UntrackedValue
from streamgraph.channels.base import MISSING
from streamgraph.errors import InvalidUpdateError


def test_it_is_kept_and_not_saved():
    channel = UntrackedValue(dict).from_checkpoint(MISSING)
    assert channel.update([{"a": 1}])
    assert not channel.update([])
    assert channel.get() == channel.copy().get() == {"a": 1}
    assert channel.checkpoint() is MISSING
    assert not channel.from_checkpoint({"a": 1}).is_available()


def test_guard():
    """A guarded one refuses several values and says how to take them; another one takes the last."""
    channel = UntrackedValue(int)
    channel.key = "x"
    with pytest.raises(InvalidUpdateError, match=r"At key 'x': .*one value per step.*guard=False"):
        channel.update([1, 2])
    open_to_all = UntrackedValue(int, guard=False)
    open_to_all.update([1, 2])
    assert open_to_all.get() == 2
    assert UntrackedValue(int) == UntrackedValue(str) != open_to_all
    assert UntrackedValue(int) != EphemeralValue(int)
