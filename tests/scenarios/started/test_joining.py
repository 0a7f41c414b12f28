"""Readers that come and go at every moment get what the full list has there."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from support.models import scripted
from support.talking import plain
from support.waiting import PATIENCE

MODES = ["values", "updates", "custom", "messages"]
SIZE = 6
"""Number of rounds of a run, in each of which a node waits until it is let go on."""


class State(TypedDict, total=False):
    """A state of one number."""

    n: int


class Steered:
    """A run that makes a few parts whenever it is told to."""

    def __init__(self) -> None:
        self._go, self._arrived = threading.Semaphore(0), threading.Semaphore(0)
        model = scripted(["a", "b", "c"])

        def node(state: State) -> Any:
            self._arrived.release()
            assert self._go.acquire(timeout=PATIENCE)
            get_stream_writer()(state["n"])
            model.invoke("?")
            return {"n": state["n"] + 1}

        builder = StateGraph(State).add_node("node", node).add_edge(START, "node")
        builder.add_conditional_edges("node", lambda state: "node" if state["n"] < SIZE else "__end__")
        self.graph = builder.compile()

    def on(self) -> None:
        """Let the run go on to its next round, or to its end."""
        self._go.release()

    def arrived(self) -> None:
        """Wait until the run waits to go on."""
        assert self._arrived.acquire(timeout=PATIENCE)


class Visit(NamedTuple):
    """A reader.

    Attributes:
        comes: The round in which it comes; after the last it is the end of the run.
        modes: What it reads.
        takes: How many chunks it takes before it leaves; `None` for all.
        asynchronous: It is on an event loop.
    """

    comes: int
    modes: Sequence[str]
    takes: Optional[int]
    asynchronous: bool


VISITS = st.builds(
    Visit,
    st.integers(0, SIZE),
    st.lists(st.sampled_from(MODES), min_size=1, unique=True),
    st.none() | st.integers(0, 12),
    st.booleans(),
)


def taken(reader: Any, takes: Optional[int], into: List[Any]) -> None:
    """Take so many chunks, with the id of each."""
    with reader:
        while takes is None or len(into) < takes:
            try:
                chunk = next(reader)
            except StopIteration:
                return
            into.append((reader.id, chunk))


async def ataken(reader: Any, takes: Optional[int], into: List[Any]) -> None:
    """The same on a loop."""
    async with reader:
        while takes is None or len(into) < takes:
            try:
                chunk = await reader.__anext__()
            except StopAsyncIteration:
                return
            into.append((reader.id, chunk))


def visiting(run: Any, visit: Visit, into: List[Any]) -> threading.Thread:
    """Begin to read in a thread of its own."""

    def read() -> None:
        if visit.asynchronous:
            asyncio.run(ataken(run.astream(visit.modes), visit.takes, into))
        else:
            taken(run.stream(visit.modes), visit.takes, into)

    thread = threading.Thread(target=read)
    thread.start()
    return thread


def check(visit: Visit, got: List[Tuple[str, Any]], full: List[Tuple[str, Any]]) -> None:
    """Check what a reader got against all that there was."""
    expected = [(id_, plain(chunk)) for id_, chunk in full if chunk[0] in visit.modes][: visit.takes]
    assert [(id_, plain(chunk)) for id_, chunk in got] == expected


@settings(max_examples=25, deadline=None)
@given(st.lists(VISITS, min_size=1, max_size=5), st.booleans())
def test_readers_that_come_at_any_moment(visits: List[Visit], on_loop: bool) -> None:
    """Each gets everything of its modes, in order, up to where it leaves; nobody holds up the run or another reader."""
    steered = Steered()
    loop = asyncio.new_event_loop() if on_loop else None
    looping = threading.Thread(target=loop.run_forever) if loop is not None else None
    if looping is not None and loop is not None:
        looping.start()

        async def start() -> Any:
            return await steered.graph.astart({"n": 0}, record=MODES)

        run = asyncio.run_coroutine_threadsafe(start(), loop).result(PATIENCE)
    else:
        run = steered.graph.start({"n": 0}, record=MODES)
    got: Dict[int, List[Any]] = {index: [] for index in range(len(visits))}
    threads = []
    for moment in range(SIZE + 1):
        if moment < SIZE:
            steered.arrived()
        else:
            assert run.join(PATIENCE)
        threads += [visiting(run, visit, got[index]) for index, visit in enumerate(visits) if visit.comes == moment]
        steered.on()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    if looping is not None and loop is not None:
        loop.call_soon_threadsafe(loop.stop)
        looping.join(PATIENCE)
        loop.close()
    full: List[Any] = []
    taken(run.stream(MODES), None, full)
    assert [id_ for id_, _ in full] == [f"1-{number}" for number in range(1, len(full) + 1)]
    assert run.result() == {"n": SIZE}
    for index, visit in enumerate(visits):
        check(visit, got[index], full)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_going_on_after_an_event(data: Any) -> None:
    """A reader that comes back with the id of its last event gets the rest, whatever it read before."""
    steered = Steered()
    for _ in range(SIZE):
        steered.on()
    run = steered.graph.start({"n": 0}, record=MODES)
    full: List[Any] = []
    taken(run.stream(MODES), None, full)
    modes = data.draw(st.lists(st.sampled_from(MODES), min_size=1, unique=True))
    read: List[Any] = []
    after = None
    for _ in range(data.draw(st.integers(1, 4))):
        reader = run.stream(modes, after=after)
        part: List[Any] = []
        taken(reader, data.draw(st.integers(0, 8)), part)
        read += part
        after = reader.id
    taken(run.stream(modes, after=after), None, read)
    check(Visit(0, modes, None, False), read, full)


@pytest.mark.parametrize("readers", [3, 50])
def test_any_number_of_projections(readers: int) -> None:
    """Readers are independent: whichever is read first, and however far, no other loses anything."""
    steered = Steered()
    for _ in range(SIZE):
        steered.on()
    run = steered.graph.start({"n": 0}, record=MODES)
    expected = {mode: [plain(chunk) for chunk in run.stream(mode)] for mode in MODES}
    projections = [(MODES[index % len(MODES)], run.stream(MODES[index % len(MODES)])) for index in range(readers)]
    got: List[List[str]] = [[] for _ in projections]
    for turn in range(max(map(len, expected.values()))):
        for index in sorted(range(readers), key=lambda index: (index * 7 + turn) % readers):
            got[index] += [plain(chunk) for chunk in [next(projections[index][1], None)] if chunk is not None]
    assert got == [expected[mode] for mode, _ in projections]
