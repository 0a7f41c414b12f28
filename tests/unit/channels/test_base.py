"""The interface of channels, and what a subclass inherits."""

from __future__ import annotations

import copy
import pickle
from typing import Any, List, Sequence

import pytest

from streamgraph import channels
from streamgraph.channels.base import MISSING, BaseChannel
from streamgraph.errors import EmptyChannelError


class Highest(BaseChannel[int, int, int]):
    """The highest number so far, with nothing but what has to be defined."""

    def __init__(self, typ: Any = int) -> None:
        super().__init__(typ)
        self.seen: List[int] = []

    ValueType = UpdateType = int

    def from_checkpoint(self, checkpoint: Any) -> Highest:
        made = Highest(self.typ)
        if checkpoint is not MISSING:
            made.seen = [checkpoint]
        return made

    def update(self, values: Sequence[int]) -> bool:
        self.seen += values
        return bool(values)

    def get(self) -> int:
        if not self.seen:
            raise EmptyChannelError()
        return max(self.seen)


def test_what_a_subclass_inherits() -> None:
    """A copy and a checkpoint by way of the value, availability by way of `get`, and two hooks that do nothing."""
    channel = Highest()
    assert (channel.typ, channel.key) == (int, "")
    assert not channel.is_available()
    assert channel.checkpoint() is MISSING
    assert not channel.copy().is_available()
    channel.update([3, 5])
    copied = channel.copy()
    copied.update([9])
    assert (channel.get(), copied.get(), channel.checkpoint(), channel.is_available()) == (5, 9, 5, True)
    assert not channel.consume()
    assert not channel.finish()


def test_it_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        BaseChannel(int)  # type: ignore[abstract]


def test_missing() -> None:
    """There is one, also after a copy or in another process."""
    assert copy.copy(MISSING) is copy.deepcopy(MISSING) is pickle.loads(pickle.dumps(MISSING)) is MISSING
    assert repr(MISSING) == "MISSING"


def test_an_empty_channel() -> None:
    """The error needs no arguments, and says what it is about."""
    assert str(EmptyChannelError()) == "The channel has no value."
    assert issubclass(EmptyChannelError, Exception)


@pytest.mark.parametrize("name", sorted(set(channels.__all__) - {"BaseChannel"}))
def test_the_classes(name: str) -> None:
    """Each is a channel, has its module's place, and cannot be hashed, since equal ones may change."""
    kind = getattr(channels, name)
    assert issubclass(kind, BaseChannel)
    assert kind.__module__.startswith("streamgraph.channels.")
    assert kind.__hash__ is None
