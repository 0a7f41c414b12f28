"""What a step, a token and a writer call cost, in counts: the same on every machine, and no more than it is now.

Where a number here has to grow, that is a decision: it is what every user pays for every step or token.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Any, Callable, Dict

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from typing_extensions import TypedDict

from costs.counting import Counting, lines_of, per_unit
from streamgraph._compat.langgraph import PEER
from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from support.models import Model

EVERYTHING = ["values", "updates", "custom", "messages"]


class Count(TypedDict, total=False):
    """A state of one number."""

    n: int


def chain(size: int, node: Any) -> Any:
    """A graph of so many nodes, one after the other."""
    builder, before = StateGraph(Count), START
    for index in range(size):
        builder.add_node(f"n{index}", node).add_edge(before, f"n{index}")
        before = f"n{index}"
    return builder.compile()


def step(state: Count) -> Any:
    """Do next to nothing."""
    return {"n": state["n"] + 1}


async def astep(state: Count) -> Any:
    """Do next to nothing, on a loop."""
    return {"n": state["n"] + 1}


def read(graph: Any, asynchronous: bool, **options: Any) -> Callable[[], Any]:
    """Reads a stream to its end."""

    async def aread() -> None:
        async for _ in graph.astream({"n": 0}, **options):
            pass

    def sync() -> None:
        for _ in graph.stream({"n": 0}, **options):
            pass

    return (lambda: asyncio.run(aread())) if asynchronous else sync


def speaking(tokens: int, *, asynchronous: bool, depth: int = 0) -> Any:
    """A graph with a model, so many graphs deep."""
    model = Model(words=["x"] * tokens, ids=[None] * tokens)

    async def aspeak(state: Any) -> None:
        await model.ainvoke("?")

    graph: Any = aspeak if asynchronous else lambda state: model.invoke("?") and None
    for _ in range(depth + 1):
        graph = StateGraph(Count).add_node("speak", graph).add_edge(START, "speak").compile()
    return graph


def writing(calls: int) -> Any:
    """A graph whose node writes so many things."""

    def node(state: Any) -> None:
        writer = get_stream_writer()
        for index in range(calls):
            writer(index)

    return StateGraph(Count).add_node("write", node).add_edge(START, "write").compile()


def is_as(found: Dict[str, float], **expected: int) -> None:
    """Check what a unit costs: this, and nothing else."""
    assert {kind: round(count) for kind, count in found.items() if round(count)} == expected


@pytest.mark.parametrize(("mode", "called", "dicts"), [("updates", 43, 5), ("values", 43, 5), ("debug", 55, 7)])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_step(asynchronous: bool, mode: str, called: int, dicts: int) -> None:
    """A step of one node: no callback manager, thread or task; a context of its own, and a config."""
    node = astep if asynchronous else step
    found = per_unit(lambda size: read(chain(size, node), asynchronous, stream_mode=mode))
    is_as(found, called=called + 2 * asynchronous, contexts=1, dicts=dicts)


def test_lines_of_a_step() -> None:
    """What is done between the calls, which a count of calls does not show."""
    short, long = (lines_of(read(chain(size, step), False, stream_mode="updates")) for size in (20, 120))
    assert (long - short) / 100 <= 363


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_step_with_langgraph_loaded(asynchronous: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What LangGraph's graphs look for is not made for a step that calls none of them."""
    monkeypatch.setitem(sys.modules, PEER, importlib.import_module(PEER))
    node = astep if asynchronous else step
    found = per_unit(lambda size: read(chain(size, node), asynchronous, stream_mode="updates"))
    is_as(found, called=46 + 2 * asynchronous, contexts=1, dicts=5)


def test_step_of_a_sync_node_in_an_async_run() -> None:
    """It runs in a thread, which waits for the next one."""
    found = per_unit(lambda size: read(chain(size, step), True, stream_mode="updates"))
    assert found.pop("called") < 90  # it depends on which of the two threads is faster
    is_as(found, contexts=2, dicts=5)


def test_live_step() -> None:
    """Where something may come while a node runs, it is a task beside the one that reads."""
    found = per_unit(lambda size: read(chain(size, astep), True, stream_mode="custom"))
    is_as(found, called=51, contexts=1, dicts=5, tasks=1)


def test_step_with_a_handler() -> None:
    """Where somebody listens, a step opens one run in the trace, and one for what the node calls."""

    def with_handler(size: int) -> Callable[[], Any]:
        graph = chain(size, step)
        config: Any = {"callbacks": [BaseCallbackHandler()], "recursion_limit": 1000}
        return lambda: list(graph.stream({"n": 0}, config))

    found = per_unit(with_handler)
    assert round(found["managers"]) == 2
    assert found.get("tasks", 0) == found.get("threads", 0) == 0


@pytest.mark.parametrize("depth", [0, 2])
@pytest.mark.parametrize(
    "options", [{"stream_mode": "messages"}, {"stream_mode": EVERYTHING}, {"stream_mode": EVERYTHING, "version": "v2"}]
)
def test_token(options: Dict[str, Any], depth: int) -> None:
    """A token: a copy of the chunk's fields, and of its metadata; one hand-over, however deep its graph is."""
    found = per_unit(lambda size: read(speaking(size, asynchronous=False, depth=depth), False, **options))
    is_as(found, called=9 if options.get("version") == "v2" else 8, dicts=2, sent=1)


@pytest.mark.parametrize("depth", [0, 2])
def test_token_on_a_loop(depth: int) -> None:
    """The same on an event loop: no task, no context, no thread for a token."""
    found = per_unit(lambda size: read(speaking(size, asynchronous=True, depth=depth), True, stream_mode="messages"))
    is_as(found, called=19, dicts=2)


def test_token_that_passes_a_filter() -> None:
    """What is left out is decided once for each call: a token costs what it costs without a filter."""
    found = per_unit(
        lambda size: read(speaking(size, asynchronous=False), False, stream_mode="messages", include_nodes=["speak"])
    )
    is_as(found, called=8, dicts=2, sent=1)


def test_token_that_nobody_wants() -> None:
    """A token that a filter leaves out is neither copied nor handed over."""
    found = per_unit(
        lambda size: read(speaking(size, asynchronous=False), False, stream_mode="messages", exclude_nodes=["speak"])
    )
    is_as(found, called=3)


def test_writer_call() -> None:
    """A writer call is a hand-over and nothing else."""
    is_as(per_unit(lambda size: read(writing(size), False, stream_mode="custom")), called=5, sent=1)


@pytest.mark.parametrize("nodes", [2, 10])
def test_whole_run(nodes: int) -> None:
    """One callback manager for a run, however long it is; a thread only if something is shown while nodes run."""
    for mode, threads in (("updates", 0), ("custom", 1)):
        work = read(chain(nodes, step), False, stream_mode=mode)
        work()
        with Counting() as counting:
            work()
        assert counting.counts["managers"] == 1
        assert counting.counts["tasks"] == 0
        assert counting.counts["threads"] <= threads


def wide(keys: int, idle: int) -> Callable[[int], Callable[[], Any]]:
    """Chains in a state of many keys, beside many nodes that never run."""

    def make(size: int) -> Callable[[], Any]:
        state = TypedDict("state", {"n": int, **{f"k{index}": int for index in range(keys)}})  # type: ignore[misc]
        builder, before = StateGraph(state), START
        for index in range(size):
            builder.add_node(f"n{index}", step).add_edge(before, f"n{index}")
            before = f"n{index}"
        for index in range(idle):
            builder.add_node(f"idle{index}", step).add_edge(f"idle{index}", f"n{size - 1}")
        return read(builder.compile(), False, stream_mode="updates")

    return make


def test_who_takes_no_part_costs_nothing() -> None:
    """A step does not pay for keys that it does not write, nor for nodes that do not run."""
    assert per_unit(wide(keys=100, idle=0)) == per_unit(wide(keys=0, idle=0))
    assert per_unit(wide(keys=0, idle=100)) == per_unit(wide(keys=0, idle=0))


def test_the_last_costs_what_the_first_has_cost() -> None:
    """Steps and tokens are no dearer late in a run than they are early in it."""
    for make in (
        lambda size: read(chain(size, step), False, stream_mode="updates"),
        lambda size: read(speaking(size, asynchronous=True), True, stream_mode="messages"),
    ):
        early, late = (
            {kind: round(count) for kind, count in per_unit(make, size).items()}  # type: ignore[arg-type]
            for size in (20, 80)
        )
        assert early == late


def started(graph: Any, asynchronous: bool, readers: int, mode: str) -> Callable[[], Any]:
    """Starts a run, and reads it so many times when it is over."""

    async def aread() -> None:
        run = await graph.astart({"n": 0}, {"recursion_limit": 1000}, record=mode)
        await run
        for _ in range(readers):
            async for _ in run.astream(mode):
                pass

    def sync() -> None:
        run = graph.start({"n": 0}, {"recursion_limit": 1000}, record=mode)
        run.result()
        for _ in range(readers):
            for _ in run.stream(mode):
                pass

    return (lambda: asyncio.run(aread())) if asynchronous else sync


@pytest.mark.parametrize("asynchronous", [False, True])
def test_token_of_a_started_run(asynchronous: bool) -> None:
    """It goes to the log in the thread or task that makes it, through no queue, and is not copied for it."""
    found = per_unit(lambda size: started(speaking(size, asynchronous=asynchronous), asynchronous, 0, "messages"), 128)
    is_as(found, called=15, dicts=1)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_step_of_a_started_run(asynchronous: bool) -> None:
    """Its node runs in place, also if it may emit something: no task, no thread."""
    node = astep if asynchronous else step
    found = per_unit(lambda size: started(chain(size, node), asynchronous, 0, "updates"), 128)
    is_as(found, called=54 + 2 * asynchronous, contexts=1, dicts=5)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_token_for_a_further_reader(asynchronous: bool) -> None:
    """Two calls for a token: the next one, and its making; two copies: its fields, and its metadata."""

    def each(readers: int) -> Dict[str, float]:
        """What a token costs with so many readers; what a reader costs at its start does not count."""
        return per_unit(
            lambda size: started(speaking(size, asynchronous=asynchronous), asynchronous, readers, "messages"), 256
        )

    without, with_four = each(0), each(4)
    found = {kind: (count - without.get(kind, 0)) / 4 for kind, count in with_four.items()}
    assert 2 <= found["called"] < 2.3
    assert round(found["dicts"]) == 2
    assert found.get("sent", 0) == found.get("tasks", 0) == found.get("threads", 0) == 0
