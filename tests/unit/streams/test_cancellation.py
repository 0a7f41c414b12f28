"""The signal that work is no longer wanted."""

from __future__ import annotations

import gc

import pytest

from streamgraph._streams.cancellation import CancelToken
from streamgraph.errors import StreamClosed


def test_new():
    """A new signal is neither set nor finished."""
    stop = CancelToken()
    assert (stop.is_set, stop.finished) == (False, False)


def test_reaches_what_is_below():
    """Setting a signal sets those below it, at every depth, and none above."""
    top = CancelToken()
    middle = CancelToken(top)
    bottom = CancelToken(middle)
    beside = CancelToken(top)
    middle.set()
    assert (top.is_set, middle.is_set, bottom.is_set, beside.is_set) == (False, True, True, False)
    top.set()
    assert beside.is_set
    assert not beside.finished


def test_reaches_past_one_that_is_gone():
    """What is below hears of those above by a signal that nobody else refers to any more, as that of an attempt."""
    top = CancelToken()
    bottom = CancelToken(CancelToken(top))
    gc.collect()
    top.set()
    assert bottom.is_set


def test_below_a_set_one():
    """What begins below a signal that is set already is set from its start."""
    top = CancelToken()
    top.set()
    assert CancelToken(top).is_set


def test_callbacks():
    """A callback is called once, when the signal is set; at once if it is already; not at all if taken back."""
    stop = CancelToken()
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
    stop = CancelToken()
    called = []

    def once():
        called.append("once")
        stop.forget(once)

    stop.on_set(once)
    stop.on_set(lambda: called.append("other"))
    stop.set()
    assert called == ["once", "other"]


def test_ends_work_as_long_as_it_is_on():
    """Work that looks here after the signal was set, but before the end, is ended; before and afterwards it goes on."""
    stop = CancelToken()
    stop.check()
    stop.set()
    for _ in range(2):
        with pytest.raises(StreamClosed):
            stop.check()
    stop.finish()
    stop.check()


def test_several_parents():
    """Work that is part of two others ends with the first of them that does."""
    one, other = CancelToken(), CancelToken()
    first, second = CancelToken(one, other), CancelToken(other, one)
    one.set()
    assert (first.is_set, second.is_set, other.is_set) == (True, True, False)
    assert CancelToken(other, one).is_set
    other.finish()
    assert first.finished
    assert second.finished


@pytest.mark.parametrize("way", ["set", "finish"])
def test_deeper_than_calls_can_be(way):
    """Graphs that call themselves may be nested in each other deeper than a call stack is long."""
    chain = [CancelToken()]
    for _ in range(5000):
        chain.append(CancelToken(chain[-1]))
    getattr(chain[0], way)()
    assert chain[-1].is_set


def test_finish_calls_nobody():
    """An orderly end is no cancellation: callbacks are dropped, not called."""
    stop = CancelToken()
    called = []
    stop.on_set(lambda: called.append(1))
    stop.finish()
    stop.set()
    assert called == []


def test_leaves_nothing_behind():
    """A long run does not keep the signals of the tasks that are over."""
    top = CancelToken()
    for _ in range(5):
        CancelToken(top)
    gc.collect()
    assert len(top._below) == 0
