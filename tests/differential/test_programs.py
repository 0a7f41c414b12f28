"""Every program of the table streams on `streamgraph` what it streams on `langgraph`."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import pytest

from differential import harness
from differential.differences import DIFFERENCES, OLD, Where, comparable
from differential.harness import PROGRAMS, SELF, Outcome, Setup, by_step
from differential.programs import TOPICS

assert TOPICS

# What other packages complain about while being imported or used as intended.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph"),
    # What we say of updates that both of us drop.
    pytest.mark.filterwarnings("ignore::streamgraph.errors.UnknownKeyWarning"),
]


@functools.cache
def theirs(name: str, setup: Setup, asynchronous: bool) -> Outcome:
    """LangGraph's outcome; the v2 shape is made from v1 for versions that have only that."""
    prog = PROGRAMS[name]
    if not (OLD and setup.version == "v2"):
        return harness.reference(prog, setup, asynchronous=asynchronous)
    modes: Any = setup.mode if isinstance(setup.mode, tuple) else (setup.mode,)
    plain = harness.reference(prog, Setup(modes, setup.subgraphs), asynchronous=asynchronous)
    return Outcome(tuple(_as_part(chunk) for chunk in plain.chunks), plain.error, plain.text)


def _as_part(chunk: Any) -> Any:
    namespace, mode, data = chunk if len(chunk) == 3 else ((), *chunk)
    return {"type": mode, "ns": namespace, "data": data, **({"interrupts": ()} if mode == "values" else {})}


@functools.cache
def ours(name: str, setup: Setup, asynchronous: bool) -> Outcome:
    """Our outcome."""
    if SELF:
        return theirs.__wrapped__(name, setup, asynchronous)
    return harness.subject(PROGRAMS[name], setup, asynchronous=asynchronous)


def check(name: str, setup: Setup, asynchronous: bool) -> None:
    """Compare the two libraries on one program."""
    prog = PROGRAMS[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="langgraph")
        expected = theirs(name, setup, asynchronous)
    actual = ours(name, setup, asynchronous)
    if not SELF:
        expected, actual = comparable(expected, actual, Where(prog, setup))
    assert by_step(prog, setup, actual) == by_step(prog, setup, expected), f"as {setup}"


@pytest.mark.parametrize("name", PROGRAMS)
def test_stream(name: str) -> None:
    """The sync run gives LangGraph's chunks in every mode, but for the deliberate differences."""
    for setup in PROGRAMS[name].setups():
        check(name, setup, asynchronous=False)


@pytest.mark.parametrize("name", PROGRAMS)
def test_astream(name: str) -> None:
    """The async run gives LangGraph's chunks in every mode, but for the deliberate differences."""
    for setup in PROGRAMS[name].setups():
        check(name, setup, asynchronous=True)


@pytest.mark.parametrize("name", PROGRAMS)
def test_sync_equals_async(name: str) -> None:
    """Our sync and async runs give the same chunks (R45)."""
    prog = PROGRAMS[name]
    for setup in prog.setups():
        sync, asynchronous = (by_step(prog, setup, ours(name, setup, flag)) for flag in (False, True))
        assert sync == asynchronous, setup


def test_every_difference_is_used() -> None:
    """Programs name only listed differences, and each listed one is exercised."""
    named = {name for prog in PROGRAMS.values() for name in prog.differs}
    assert named == {difference.name for difference in DIFFERENCES if not difference.everywhere}
