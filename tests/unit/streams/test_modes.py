"""The table of stream modes."""

from __future__ import annotations

from typing_extensions import get_args

from streamgraph._streams import modes
from streamgraph.types import StreamMode


def test_all_names():
    """The table has the modes that static types know, in their order."""
    assert tuple(mode.name for mode in modes.MODES) == get_args(StreamMode)


def test_nested_modes_are_live():
    """What nested graphs show without having been asked for namespaces is made while their node runs."""
    assert modes.NESTED_MODES <= modes.LIVE_MODES
    assert modes.MODEL_MODES | {"tools"} == modes.LISTENING_MODES


def test_a_stream_does_not_confuse_its_own_signals_with_modes():
    """Nobody can ask for a heartbeat by name."""
    assert modes.SIGNAL_MODES.isdisjoint(get_args(StreamMode))
