"""What OpenTelemetry costs a program that does not report anything to it: one question for each run."""

from __future__ import annotations

import sys
from typing import Any, Callable

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider
from typing_extensions import TypedDict

from costs.counting import Counting, per_unit
from streamgraph.graph import START, StateGraph
from support.models import Model
from support.telemetry import reported


class Count(TypedDict, total=False):
    """A state of one number."""

    n: int


def chain(size: int) -> Callable[[], Any]:
    """A run of so many nodes, one after the other."""
    builder, before = StateGraph(Count), START
    for index in range(size):
        builder.add_node(f"n{index}", lambda state: {"n": state["n"] + 1}).add_edge(before, f"n{index}")
        before = f"n{index}"
    graph: Any = builder.compile()
    return lambda: list(graph.stream({"n": 0}))


def speaking(size: int) -> Callable[[], Any]:
    """A run with so many tokens."""
    model = Model(words=["x"] * size, ids=[None] * size)
    graph: Any = (
        StateGraph(Count).add_node("n", lambda state: model.invoke("?") and None).add_edge(START, "n").compile()
    )
    return lambda: list(graph.stream({"n": 0}, stream_mode="messages"))


def read_log(size: int) -> Callable[[], Any]:
    """A started run, which so many readers read."""
    graph: Any = StateGraph(Count).add_node("n", lambda state: {"n": 1}).add_edge(START, "n").compile()

    def work() -> None:
        handle = graph.start({"n": 0})
        handle.result()
        for _ in range(size):
            list(handle.stream())

    return work


@pytest.mark.parametrize("work", [chain, speaking])
def test_a_step_and_a_token_cost_the_same_with_providers_that_drop_everything(work: Any) -> None:
    """Not a call, not a context, not a dict more."""
    without = per_unit(work)
    with reported(NoOpTracerProvider(), NoOpMeterProvider()):
        assert per_unit(work) == without


def called(work: Callable[[], Any]) -> int:
    """The Python functions of streamgraph that some work calls."""
    work()
    with Counting() as counting:
        work()
    return counting.counts["called"]


def test_a_run_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the API is loaded, and what its two providers are if it is."""
    work = chain(3)
    with_api = called(work)
    with reported(NoOpTracerProvider(), NoOpMeterProvider()):
        assert called(work) == with_api
    for name in ("opentelemetry.trace", "opentelemetry.metrics"):
        monkeypatch.delitem(sys.modules, name)
    assert called(work) == with_api - 2


def test_a_model_call_asks_nothing_more_in_a_program_that_has_reported_before() -> None:
    """The hook that finds out whose call it is returns at once; it stays when the first run was reported."""
    work = speaking(3)
    before = called(work)
    with reported():
        work()
    assert called(work) - before <= 2
