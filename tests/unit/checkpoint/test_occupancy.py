"""One run at a time has a thread."""

from __future__ import annotations

from typing import Any

import pytest

from streamgraph._checkpoint.occupancy import Occupancy
from streamgraph.errors import StreamClosed, ThreadBusyError


def claimed(saver: Any, **options: Any) -> Occupancy:
    occupancy = Occupancy(saver, "1", options.get("strategy", "reject"))
    assert list(occupancy.enter()) == []
    return occupancy


def test_a_second_run_is_refused_until_the_first_has_left() -> None:
    saver = object()
    first = claimed(saver)
    with pytest.raises(ThreadBusyError):
        claimed(saver)
    claimed(object()).leave()  # the same name in another saver
    first.leave()
    first.leave()
    claimed(saver).leave()


def test_a_run_that_was_left_while_it_was_opened_claims_nothing() -> None:
    """Its consumer may leave at a heartbeat, before the thread that opens it has come to this."""
    saver = object()
    left = Occupancy(saver, "1", "reject")
    left.leave()
    with pytest.raises(StreamClosed):
        list(left.enter())
    claimed(saver).leave()
