"""Small graphs around a node with policies, and what comes of running them."""

from __future__ import annotations

import asyncio
import threading
from operator import add
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest
from typing_extensions import Annotated, TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.errors import StreamClosed
from streamgraph.graph import START, StateGraph
from streamgraph.types import RetryPolicy
from support.clocks import LimitClock
from support.waiting import PATIENCE, run

DRIVERS = ("stream", "astream")

FAST = RetryPolicy(initial_interval=0.001, jitter=False)
"""Three attempts without a pause worth mentioning."""


SHORT = 0.05
"""A time that a node may take which takes longer, in seconds."""


class State(TypedDict, total=False):
    """A list that grows and a plain key."""

    x: Annotated[list, add]
    p: Any


def builder_of(node: Any, *others: Any, schema: Any = State, name: str = "work", **policies: Any) -> StateGraph:
    """A builder with a node that has policies, and others beside it."""
    builder = StateGraph(schema).add_node(name, node, **policies).add_edge(START, name)
    for other in others:
        builder.add_node(other).add_edge(START, other.__name__)
    return builder


def graph_with(node: Any, *others: Any, cache: Any = None, **policies: Any) -> Any:
    """The same, compiled."""
    return builder_of(node, *others, **policies).compile(cache=cache)


def collect(graph: Any, driver: str, given: Any = None, **options: Any) -> List[Any]:
    """The chunks of a run."""
    chunks, error = outcome(graph, driver, given, **options)
    if error is not None:
        raise error
    return chunks


def outcome(graph: Any, driver: str, given: Any = None, **options: Any) -> Tuple[List[Any], Optional[BaseException]]:
    """The chunks of a run and what it failed with, if it did."""
    chunks: List[Any] = []
    given = {"x": ["in"]} if given is None else given

    async def main() -> None:
        async for chunk in graph.astream(given, **options):
            chunks.append(chunk)

    try:
        if driver == "stream":
            for chunk in graph.stream(given, **options):
                chunks.append(chunk)
        else:
            run(main())
    except BaseException as error:
        return chunks, error
    return chunks, None


class Failing:
    """A node that fails with each of these errors in turn, and then returns.

    Attributes:
        calls: What it was called with.
    """

    def __init__(self, *errors: Any, result: Any = None) -> None:
        self.calls: List[Any] = []
        self._errors = errors
        self._result = {"x": ["done"]} if result is None else result

    def __call__(self, state: Any) -> Any:
        """Fail or return."""
        self.calls.append(state)
        if len(self.calls) <= len(self._errors):
            raise self._errors[len(self.calls) - 1]
        return self._result

    @property
    def node(self) -> Any:
        """The node as a function."""
        return lambda state: self(state)


class Stuck:
    """Nodes that do not return until they are released or cancelled.

    Args:
        clock: The time of their limits, which is over once one of them has begun.

    Attributes:
        log: What became of them.
    """

    def __init__(self, clock: LimitClock) -> None:
        self._clock = clock
        self.log: List[str] = []
        self.calls = 0
        self._gate = threading.Event()

    def release(self) -> None:
        """Let sync nodes go on."""
        self._gate.set()

    def sync(self, state: Any) -> Dict[str, Any]:
        """Wait in a thread, then write."""
        self.calls += 1
        writer = get_stream_writer()
        writer("begun")
        self._clock.advance(SHORT)
        self._gate.wait(PATIENCE)
        try:
            writer("late")
        except StreamClosed:
            self.log.append("closed")
            raise
        return {"x": ["late"]}

    async def asyn(self, state: Any) -> Dict[str, Any]:
        """Wait on the loop, and take a moment to clean up."""
        self.calls += 1
        get_stream_writer()("begun")
        self._clock.advance(SHORT)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            self.log.append("finally")
        return {"x": ["late"]}


@pytest.fixture
def stuck(clock: LimitClock) -> Iterator[Stuck]:
    """Released in the end."""
    nodes = Stuck(clock)
    yield nodes
    nodes.release()
