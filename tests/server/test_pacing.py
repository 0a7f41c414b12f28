"""When a reader lets some turns of the loop pass before it writes again."""

from __future__ import annotations

import pytest

from streamgraph_server._pacing import Pace


def test_a_loop_that_keeps_up_never_waits() -> None:
    """However fast the events are."""
    pace = Pace()
    assert [pace.after(0.0005, at / 1000) for at in range(1, 50)] == [0.0] * 49


def test_events_that_are_far_apart_are_written_at_once_by_a_loop_that_is_behind() -> None:
    pace = Pace()
    assert [pace.after(0.015, at / 10) for at in range(1, 50)] == [0.0] * 49


def behind() -> Pace:
    """The pace of a reader that has found the loop behind three times, 10 ms apart."""
    pace = Pace()
    pace.after(0.01, 1.0)
    assert [pace.after(0.006, at) for at in (1.01, 1.02)] == [0.0, 0.0]
    assert pace.after(0.006, 1.03) == pytest.approx(0.04)
    return pace


def test_a_loop_that_is_behind_is_given_some_turns() -> None:
    """As long as there is something to read each time; the wait has a limit."""
    pace = behind()
    assert pace.after(0.0, 1.08) == pytest.approx(0.04)  # it did not have to wait
    assert pace.after(0.03, 1.12) == 0.05
    assert pace.after(0.0003, 1.2) == 0.0


def test_one_late_event_says_nothing_of_the_loop() -> None:
    """The system had other things to do."""
    pace = Pace()
    delays = [0.0001, 0.011, 0.0001, 0.004, 0.005, 0.0002] * 20
    assert {pace.after(delay, at / 500) for at, delay in enumerate(delays, 1)} == {0.0}


def test_a_reader_waits_less_when_the_loop_has_time_again() -> None:
    """Also if its events are so dense that it always finds some; a loop that is still late is given its turns."""
    pace, waits = behind(), []
    for turn in range(1, 40):
        pace.woke(0.01)
        assert pace.after(0.0, 1.03 + turn / 20) == pytest.approx(0.04)
    while pace.seconds:
        waits.append(pace.seconds)
        pace.woke(0.0001)
        pace.after(0.0, 4.0 + len(waits) / 20)
    assert waits == sorted(waits, reverse=True)
    assert sum(waits) < 0.2
