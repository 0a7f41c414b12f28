"""The options of the pace are checked when the call is made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Dict

import pytest

from streamgraph._runnable.flow_options import check_flow_control
from streamgraph._streams.flow import UNLIMITED, FlowControl
from streamgraph.errors import UnknownKeywordError, UnknownOptionError
from support.value_graphs import graph_of
from support.waiting import run

WRONG: Dict[str, Dict[str, Any]] = {
    "max_buffer must be": {"max_buffer": 0},
    "max_buffer must be a number of chunks greater than 0, got -1": {"max_buffer": -1},
    "got 2.5": {"max_buffer": 2.5},
    "got True": {"max_buffer": True},
    "got '3'": {"max_buffer": "3"},
    "Did you mean 'drop_oldest'": {"max_buffer": 1, "overflow": "drop_old"},
    "Unknown overflow": {"overflow": "wait"},
    "needs max_buffer": {"overflow": "raise"},
    "heartbeat must be seconds greater than 0": {"heartbeat": 0},
    "heartbeat must be": {"heartbeat": -1.0},
    "heartbeat must be .* got True": {"heartbeat": True},
    "heartbeat must be .* got '1'": {"heartbeat": "1"},
    "timeout must be": {"timeout": timedelta(0)},
    "timeout must be .* got nan": {"timeout": float("nan")},
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_options(text: str) -> None:
    """What makes no sense is refused at once, by both calls."""
    graph: Any = graph_of(node=lambda state: None)
    with pytest.raises(UnknownOptionError, match=text):
        graph.stream({}, **WRONG[text])
    with pytest.raises(UnknownOptionError, match=text):
        graph.astream({}, **WRONG[text])


def test_of_a_call_that_waits() -> None:
    """`invoke` has a timeout, and nothing else of it."""
    graph: Any = graph_of(node=lambda state: None)
    with pytest.raises(UnknownOptionError, match="timeout must be"):
        graph.invoke({}, timeout=0)
    with pytest.raises(UnknownOptionError, match="timeout must be"):
        run(graph.ainvoke({}, timeout=0))
    with pytest.raises(UnknownKeywordError):
        graph.invoke({}, max_buffer=1)


def test_what_they_become() -> None:
    """Times become seconds; without any of them there is no pace to keep."""
    assert check_flow_control() is UNLIMITED
    assert check_flow_control(3, "raise", timedelta(minutes=1), 2) == FlowControl(3, "raise", 60.0, 2.0)
    assert not check_flow_control(3).watches
    assert check_flow_control(heartbeat=1).watches
