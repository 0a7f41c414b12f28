"""The signal that work is no longer wanted."""

from __future__ import annotations

import gc
import warnings

import pytest

from streamgraph._core._stop import Stop
from streamgraph.errors import StreamClosed


def test_new():
    """A new signal is neither set nor finished."""
    stop = Stop()
    assert (stop.is_set, stop.finished) == (False, False)


def test_reaches_what_is_below():
    """Setting a signal sets those below it, at every depth, and none above."""
    top = Stop()
    middle = Stop(top)
    bottom = Stop(middle)
    beside = Stop(top)
    middle.set()
    assert (top.is_set, middle.is_set, bottom.is_set, beside.is_set) == (False, True, True, False)
    top.set()
    assert beside.is_set
    assert not beside.finished


def test_below_a_set_one():
    """What begins below a signal that is set already is set from its start."""
    top = Stop()
    top.set()
    assert Stop(top).is_set


def test_callbacks():
    """A callback is called once, when the signal is set; at once if it is already; not at all if taken back."""
    stop = Stop()
    called = []
    forgotten = lambda: called.append("forgotten")  # noqa: E731
    stop.on_set(lambda: called.append("early"))
    stop.on_set(forgotten)
    stop.forget(forgotten)
    stop.forget(forgotten)
    assert called == []
    stop.set()
    stop.set()
    assert called == ["early"]
    stop.on_set(lambda: called.append("late"))
    assert called == ["early", "late"]


def test_callback_that_takes_itself_back():
    """A callback may take itself back while it is called, and the others are still called."""
    stop = Stop()
    called = []

    def once():
        called.append("once")
        stop.forget(once)

    stop.on_set(once)
    stop.on_set(lambda: called.append("other"))
    stop.set()
    assert called == ["once", "other"]


def test_refuses_as_long_as_work_is_on():
    """Whoever emits after the signal was set, but before the end, is stopped."""
    stop = Stop()
    stop.set()
    for _ in range(2):
        with pytest.raises(StreamClosed):
            stop.refuse()


def test_warns_once_after_the_end():
    """Whoever emits after the end is told once, and goes on."""
    stop = Stop()
    below = Stop(stop)
    stop.finish()
    assert below.finished
    for late in (stop, below):
        with pytest.warns(RuntimeWarning, match="after its run had ended"):
            late.refuse()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            late.refuse()


def test_finish_calls_nobody():
    """An orderly end is no cancellation: callbacks are dropped, not called."""
    stop = Stop()
    called = []
    stop.on_set(lambda: called.append(1))
    stop.finish()
    stop.set()
    assert called == []


def test_leaves_nothing_behind():
    """A long run does not keep the signals of the tasks that are over."""
    top = Stop()
    for _ in range(5):
        Stop(top)
    gc.collect()
    assert len(top._below) == 0
