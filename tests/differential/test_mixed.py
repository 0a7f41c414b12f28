"""A program with graphs of both libraries streams what it streams with graphs of LangGraph alone."""

from __future__ import annotations

from typing import Any

import pytest

from differential import programs_mixed
from differential.harness import ASYNC_REFERENCE
from differential.mixing import OURS, PROGRAMS, THEIRS, run

assert programs_mixed.__doc__  # its programs are registered

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph"),
    pytest.mark.filterwarnings("ignore:create_react_agent has been moved"),
]

CALLS = [
    pytest.param(
        subgraphs, asynchronous, id=f"{'nested' if subgraphs else 'root'}-{'async' if asynchronous else 'sync'}"
    )
    for subgraphs in (True, False)
    for asynchronous in (False, True)[: 1 + ASYNC_REFERENCE]
]


@pytest.mark.parametrize(("subgraphs", "asynchronous"), CALLS)
@pytest.mark.parametrize("name", [name for name, program in PROGRAMS.items() if program.outside])
def test_ours_around_theirs(name: str, subgraphs: bool, asynchronous: bool) -> None:
    """Our graph with LangGraph's graphs, commands and tools in it."""
    same(name, OURS, THEIRS, subgraphs=subgraphs, asynchronous=asynchronous)


@pytest.mark.parametrize(("subgraphs", "asynchronous"), CALLS)
@pytest.mark.parametrize("name", [name for name, program in PROGRAMS.items() if program.inside])
def test_theirs_around_ours(name: str, subgraphs: bool, asynchronous: bool) -> None:
    """LangGraph's graph with our graphs in it."""
    same(name, THEIRS, OURS, subgraphs=subgraphs, asynchronous=asynchronous)


def same(name: str, outer: Any, inner: Any, **call: bool) -> None:
    """Compare a mixed program with the same one of LangGraph alone."""
    program = PROGRAMS[name]
    assert run(program, outer, inner, **call) == run(program, THEIRS, THEIRS, **call)
