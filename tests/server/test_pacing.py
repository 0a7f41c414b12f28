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


def test_a_loop_that_is_behind_is_given_some_turns() -> None:
    """As long as there is something to read each time; the wait has a limit."""
    pace = Pace()
    pace.after(0.01, 1.0)
    assert pace.after(0.006, 1.01) == pytest.approx(0.04)
    assert pace.after(0.0, 1.06) == pytest.approx(0.04)  # it did not have to wait
    assert pace.after(0.03, 1.1) == 0.05
    assert pace.after(0.0003, 1.2) == 0.0
