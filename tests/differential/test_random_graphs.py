"""Random graphs stream on `streamgraph` what they stream on `langgraph`."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from differential import harness
from differential.differences import Where, comparable
from differential.harness import SELF, Outcome, Program, Setup, by_step
from differential.random_graphs import Graph, case, graphs

pytestmark = pytest.mark.filterwarnings("ignore::streamgraph.errors.UnknownKeyWarning")

MODES = ("values", "updates", "tasks", "custom")

MODEST = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    phases=[Phase.generate, Phase.shrink],
)


def program_of(spec: Graph) -> Program:
    """The graph as a program of the table, whose parallel nodes finish in any order."""
    return Program("random", lambda lib: case(lib, spec), (MODES,), (False, True), ("v1",), "stream", (), False, True)


def until_the_failing_step(outcome: Outcome, setup: Setup) -> Outcome:
    """Without the chunks of a step that failed: what siblings still deliver is a matter of timing."""
    if outcome.error is None:
        return outcome
    whole = [n for n, chunk in enumerate(outcome.chunks) if chunk[-2] == "values" and chunk[0] in ("values", ())]
    return dataclasses.replace(outcome, chunks=outcome.chunks[: whole[-1] + 1] if whole else ())


def steps(prog: Program, setup: Setup, outcome: Outcome) -> Any:
    """The outcome in comparable form."""
    return by_step(prog, setup, until_the_failing_step(outcome, setup))


def check(spec: Graph, setup: Setup, asynchronous: bool) -> None:
    """Compare the two libraries on one graph."""
    prog = program_of(spec)
    expected = harness.reference(prog, setup, asynchronous=asynchronous)
    actual = harness.subject(prog, setup, asynchronous=asynchronous)
    if not SELF:
        expected, actual = comparable(expected, actual, Where(prog, setup))
    assert steps(prog, setup, actual) == steps(prog, setup, expected)


@pytest.mark.parametrize("subgraphs", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
@given(spec=graphs())
@MODEST
def test_random_graph(spec: Graph, subgraphs: bool, asynchronous: bool) -> None:
    """A random graph gives the same chunks, step by step."""
    check(spec, Setup(MODES, subgraphs), asynchronous)


@pytest.mark.parametrize("subgraphs", [False, True])
@given(spec=graphs())
@MODEST
def test_random_graph_sync_equals_async(spec: Graph, subgraphs: bool) -> None:
    """Our sync and async runs of a random graph give the same chunks."""
    prog, setup = program_of(spec), Setup(MODES, subgraphs)
    sync, asynchronous = (harness.subject(prog, setup, asynchronous=flag) for flag in (False, True))
    assert steps(prog, setup, sync) == steps(prog, setup, asynchronous)
