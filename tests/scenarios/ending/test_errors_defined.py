"""What comes of each kind of failure: which error is raised, what is shown before, and where it says it happened."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from itertools import product
from typing import Any, Dict, List

import anyio
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from typing_extensions import TypedDict

from scenarios.ending.failing_runs import DRIVERS, LEVELS, LIVE, around, outcome, raising
from streamgraph.config import get_stream_writer
from streamgraph.errors import NodeCancelledError, location_of
from streamgraph.graph import START, StateGraph
from streamgraph.runtime import get_runtime
from support.models import TEXT, Model
from support.value_graphs import graph_of
from support.waiting import PATIENCE, eventually


class MineError(Exception):
    """An exception of the user's."""


def of(mode: str, chunks: List[Any]) -> List[Any]:
    """The payloads of one mode."""
    return [data for name, data in chunks if name == mode]


def is_at(error: Any, node: str, step: int, *levels: str) -> None:
    """Check that an error says where it happened: as data, and as a note that a traceback shows from 3.11 on."""
    location = location_of(error)
    assert location is not None
    assert (location.node, location.step) == (node, step)
    assert [level.split(":")[0] for level in location.namespace] == list(levels)
    assert f"node {node!r} in step {step}" in error.__notes__[0]
    assert all(level in error.__notes__[0] for level in levels)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    # Before 3.11 it is up to what else is installed, such as exceptiongroup, whether notes are shown.
    assert f"While running node {node!r} in step {step}" in text or sys.version_info < (3, 11)


RAISED = {
    "user": (MineError("no"), MineError),
    "StopIteration": (StopIteration(1), RuntimeError),
    "StopAsyncIteration": (StopAsyncIteration(), RuntimeError),
    "CancelledError": (asyncio.CancelledError(), NodeCancelledError),
    "KeyboardInterrupt": (KeyboardInterrupt(), KeyboardInterrupt),
    "SystemExit": (SystemExit(3), SystemExit),
    "GeneratorExit": (GeneratorExit(), RuntimeError),
    "BaseException": (BaseException("bare"), BaseException),
}


def made(name: str) -> BaseException:
    """A fresh exception of a kind."""
    pattern = RAISED[name][0]
    return type(pattern)(*pattern.args)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("modes", [LIVE, ["values"]])
@pytest.mark.parametrize("name", RAISED)
def test_kinds(name: str, modes: List[str], driver: str) -> None:
    """Whatever a node raises, sync or async, wherever it runs: what it wrote arrives, and the error says where."""
    for asynchronous, place in product((False, True), around(print)):
        if place == "gathered" and name in ("KeyboardInterrupt", "SystemExit"):
            continue  # in a task of the user's these two end the user's loop
        error, case = made(name), (place, asynchronous)
        chunks, raised = outcome(around(raising(error, asynchronous=asynchronous))[place], driver, stream_mode=modes)
        assert type(raised) is RAISED[name][1], case
        if isinstance(raised, type(error)):
            assert raised is error, case
        else:
            assert isinstance(raised.__cause__, type(error)), case
        assert of("custom", chunks) == ([0, 1, 2] if modes == LIVE else []), case
        assert of("values", chunks) == [{"value": "?"}], case
        is_at(raised, "bad", 1, *LEVELS.get(place, ["outer", "middle"]))


@pytest.mark.parametrize("modes", [LIVE, ["values"]])
@pytest.mark.parametrize("name", ["KeyboardInterrupt", "SystemExit"])
def test_exits_in_a_task_of_a_nodes_own(name: str, modes: List[str]) -> None:
    """In a sync stream the loop of async nodes is the stream's, and survives what ends an ordinary loop."""
    error = made(name)
    chunks, raised = outcome(around(raising(error, asynchronous=True))["gathered"], "stream", stream_mode=modes)
    assert raised is error
    assert of("custom", chunks) == ([0, 1, 2] if modes == LIVE else [])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("name", RAISED)
def test_neighbours_of_each_kind(name: str, driver: str) -> None:
    """Beside each kind of failure, async nodes are cancelled, sync ones told, and both waited for; both are silent."""
    error = made(name)
    started = [threading.Event(), threading.Event()]
    log: List[str] = []

    async def forever(state: Any) -> None:
        started[0].set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            log.append("cancelled")

    def polls(state: Any) -> None:
        runtime = get_runtime()
        started[1].set()
        eventually(lambda: runtime.stopped)
        log.append("told")

    async def bad(state: Any) -> None:
        for event in started:
            await asyncio.get_running_loop().run_in_executor(None, event.wait, PATIENCE)
        get_stream_writer()("last")
        raise error

    graph = graph_of(bad=bad, forever=graph_of(inner=forever), polls=polls)
    chunks, raised = outcome(graph, driver, stream_mode=LIVE)

    assert type(raised) is RAISED[name][1]
    assert sorted(log) == ["cancelled", "told"]
    assert of("custom", chunks) == ["last"]
    assert of("updates", chunks) == []
    is_at(raised, "bad", 1)


@pytest.mark.parametrize("driver", DRIVERS)
def test_everything_before_is_delivered(driver: str) -> None:
    """Steps before, neighbours that are done, tokens and custom data of the failing node: all of it comes first."""
    done = threading.Event()

    def good(state: Any) -> Any:
        get_stream_writer()("good")
        return {"value": "good"}

    def bad(state: Any) -> Any:
        get_stream_writer()("bad")
        Model().invoke("?")
        assert done.wait(PATIENCE)  # until the consumer has the update of the neighbour
        raise MineError("no")

    builder = StateGraph(Two).add_node("first", good).add_node("bad", bad)
    builder.add_node("good", lambda state: {"other": "done"})
    builder.add_edge(START, "first").add_edge("first", "bad").add_edge("first", "good")
    graph = builder.compile()
    chunks: List[Any] = []

    def take(chunk: Any) -> None:
        chunks.append(chunk)
        if chunk == ("updates", {"good": {"other": "done"}}):
            done.set()

    async def main() -> None:
        async for chunk in graph.astream({"value": "?"}, stream_mode=LIVE):
            take(chunk)

    with pytest.raises(MineError) as caught:
        if driver == "stream":
            for chunk in graph.stream({"value": "?"}, stream_mode=LIVE):
                take(chunk)
        else:
            asyncio.run(main())

    assert of("custom", chunks) == ["good", "bad"]
    assert "".join(message.content for message, _ in of("messages", chunks)) == TEXT
    assert of("updates", chunks) == [{"first": {"value": "good"}}, {"good": {"other": "done"}}]
    assert of("values", chunks) == [{"value": "?"}, {"value": "good"}]
    results = [(task["name"], task["error"]) for task in of("tasks", chunks) if "error" in task]
    assert results == [("first", None), ("good", None), ("bad", caught.value)]
    is_at(caught.value, "bad", 2)


class Two(TypedDict, total=False):
    """A state of two keys."""

    value: str
    other: str


@pytest.mark.parametrize("driver", DRIVERS)
def test_exception_group(driver: str) -> None:
    """What a task group in a node raises stays what it is."""

    async def bad(state: Any) -> None:
        async def fail() -> None:
            raise MineError("no")

        async with anyio.create_task_group() as group:
            group.start_soon(fail)

    _, raised = outcome(graph_of(outer=graph_of(bad=bad)), driver)
    assert [type(error) for error in raised.exceptions] == [MineError]  # type: ignore[union-attr]
    is_at(raised, "bad", 1, "outer")


# Several failures in one step.


class Failures(BaseCallbackHandler):
    """Notes the errors of nodes."""

    def __init__(self) -> None:
        self.errors: List[str] = []
        self._names: Dict[Any, str] = {}

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, **kwargs: Any) -> None:
        self._names[run_id] = kwargs.get("name") or "?"

    def on_chain_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        self.errors.append(f"{self._names[run_id]}: {error}")


@pytest.mark.parametrize("driver", DRIVERS)
def test_two_failures_at_once(driver: str) -> None:
    """The first is shown and raised; what the other ends with is in the traces only."""
    both = threading.Barrier(2)
    failures = Failures()

    def fails(name: str) -> Any:
        def node(state: Any) -> None:
            both.wait(PATIENCE)
            raise MineError(name)

        return node

    graph = graph_of(one=fails("one"), two=fails("two"))
    chunks, raised = outcome(graph, driver, None, {"callbacks": [failures]}, stream_mode=["tasks", "updates"])

    assert type(raised) is MineError
    results = [(task["name"], str(task["error"])) for task in of("tasks", chunks) if "error" in task]
    assert results == [(str(raised), str(raised))]
    assert sorted(failures.errors) == [f"LangGraph: {raised}", "one: one", "two: two"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_second_failure_while_cleaning_up(asynchronous: bool, driver: str) -> None:
    """A neighbour that fails while it is being stopped does not take the place of the first failure."""
    started = threading.Event()

    def cleans(state: Any) -> None:
        runtime = get_runtime()
        started.set()
        eventually(lambda: runtime.stopped)
        raise KeyError("second")

    async def acleans(state: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyError("second")

    def bad(state: Any) -> None:
        assert started.wait(PATIENCE)
        raise MineError("first")

    failures = Failures()
    graph = graph_of(bad=bad, cleans=acleans if asynchronous else cleans)
    _, raised = outcome(graph, driver, None, {"callbacks": [failures]}, stream_mode=LIVE)

    assert type(raised) is MineError
    assert [text for text in sorted(failures.errors) if "cleans" not in text] == ["LangGraph: first", "bad: first"]
    assert len(failures.errors) == 3
    is_at(raised, "bad", 1)
