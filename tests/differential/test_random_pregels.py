"""Random graphs of nodes and channels stream on `streamgraph` what they stream on `langgraph`."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from differential import harness
from differential.differences import Where, comparable
from differential.harness import SELF, Outcome, Program, Setup, by_step
from differential.random_pregels import Graph, case, pregels

MODEST = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.generate, Phase.shrink],
)


def program_of(spec: Graph, call: str) -> Program:
    """The graph as a program of the table, whose parallel nodes finish in any order."""
    return Program("random", lambda lib: case(lib, spec), (), (), ("v1",), call, (), False, False)


def until_the_failing_step(outcome: Outcome) -> Outcome:
    """Of a failed run, only that it has failed: of several failures in one step, either may be the first."""
    if outcome.error is None:
        return outcome
    return dataclasses.replace(outcome, chunks=(), error=("", ""))


def check(spec: Graph, call: str, mode: harness.Mode, asynchronous: bool) -> None:
    """Compare the two libraries on one graph."""
    prog, setup = program_of(spec, call), Setup(mode)
    expected = harness.reference(prog, setup, asynchronous=asynchronous)
    actual = harness.subject(prog, setup, asynchronous=asynchronous)
    if not SELF:
        expected, actual = comparable(expected, actual, Where(prog, setup))
    expected, actual = until_the_failing_step(expected), until_the_failing_step(actual)
    assert by_step(prog, setup, actual) == by_step(prog, setup, expected)


@pytest.mark.parametrize("asynchronous", [False, True])
@given(spec=pregels())
@MODEST
def test_random_stream(spec: Graph, asynchronous: bool) -> None:
    """A random graph gives the same chunks, step by step."""
    check(spec, "stream", ("values", "updates", "tasks"), asynchronous)


@pytest.mark.parametrize("asynchronous", [False, True])
@given(spec=pregels())
@MODEST
def test_random_output(spec: Graph, asynchronous: bool) -> None:
    """A random graph returns the same."""
    check(spec, "invoke", "values", asynchronous)
