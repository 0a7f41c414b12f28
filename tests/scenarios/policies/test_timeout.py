"""Nodes that take too long, or are silent for too long: they are cut short, and say so."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any, List

import pytest

from streamgraph.config import get_stream_writer
from streamgraph.errors import ErrorLocation, NodeError, NodeTimeoutError, location_of
from streamgraph.graph import START, StateGraph
from streamgraph.types import Send, TimeoutPolicy
from support.clocks import LimitClock
from support.policies import DRIVERS, FAST, SHORT, State, Stuck, builder_of, collect, graph_with, outcome
from support.waiting import PATIENCE, eventually, run


def node_of(stuck: Stuck, asynchronous: bool) -> Any:
    """One of the two."""
    return stuck.asyn if asynchronous else stuck.sync


FORMS = [
    (SHORT, "run"),
    (timedelta(seconds=SHORT), "run"),
    (TimeoutPolicy(run_timeout=SHORT), "run"),
    (TimeoutPolicy(run_timeout=timedelta(seconds=SHORT), idle_timeout=30), "run"),
    (TimeoutPolicy(idle_timeout=SHORT), "idle"),
    (TimeoutPolicy(idle_timeout=timedelta(seconds=SHORT), run_timeout=30), "idle"),
    (TimeoutPolicy(idle_timeout=SHORT, refresh_on="heartbeat"), "idle"),
]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(("timeout", "kind"), FORMS)
@pytest.mark.parametrize("mode", ["custom", "values"])
def test_error(mode: str, timeout: Any, kind: str, asynchronous: bool, driver: str, stuck: Stuck) -> None:
    """Each form of a limit, for sync and async nodes in sync and async runs, with the same error."""
    began = time.monotonic()
    chunks, error = outcome(graph_with(node_of(stuck, asynchronous), timeout=timeout), driver, stream_mode=mode)
    took = time.monotonic() - began

    assert chunks == (["begun"] if mode == "custom" else [{"x": ["in"]}])
    assert type(error) is NodeTimeoutError
    assert isinstance(error, TimeoutError)
    assert (error.node, error.kind, error.timeout, error.step) == ("work", kind, SHORT, 1)
    assert (error.run_timeout, error.idle_timeout) == {
        0: (SHORT, None),
        1: (SHORT, None),
        2: (SHORT, None),
        3: (SHORT, 30),
        4: (None, SHORT),
        5: (30, SHORT),
        6: (None, SHORT),
    }[[form for form, _ in FORMS].index(timeout)]
    assert error.elapsed == pytest.approx(SHORT)  # by the clock of the test
    assert took < PATIENCE
    assert str(error).startswith(f"Node 'work' exceeded its {kind} timeout of 0.050s")
    assert location_of(error) == ErrorLocation("work", 1, ())
    assert stuck.log == (["finally"] if asynchronous else [])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_in_time(asynchronous: bool, driver: str) -> None:
    """A node that is quick enough is left alone, and keeps its context and its errors."""

    def work(state: Any) -> State:
        get_stream_writer()("here")
        if state.get("p"):
            raise KeyError("mine")
        return {"x": ["done"]}

    async def awork(state: Any) -> State:
        await asyncio.sleep(0)
        return work(state)

    graph = graph_with(awork if asynchronous else work, timeout=TimeoutPolicy(run_timeout=30, idle_timeout=30))
    chunks = collect(graph, driver, stream_mode=["custom", "updates"])
    assert chunks == [("custom", "here"), ("updates", {"work": {"x": ["done"]}})]
    assert type(outcome(graph, driver, {"x": [], "p": 1})[1]) is KeyError


@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_invoke(asynchronous: bool, call: str, stuck: Stuck) -> None:
    """There is a limit for runs that nobody watches, too."""
    graph = graph_with(node_of(stuck, asynchronous), timeout=SHORT)
    with pytest.raises(NodeTimeoutError):
        graph.invoke({"x": []}) if call == "invoke" else run(graph.ainvoke({"x": []}))


@pytest.mark.parametrize("driver", DRIVERS)
def test_late_writer(driver: str, stuck: Stuck) -> None:
    """A sync node that was cut short ends at its next writer call, and nothing of it appears."""

    def handle(state: Any, error: NodeError, writer: Any) -> State:
        stuck.release()
        eventually(lambda: stuck.log)
        writer("handled")
        return {"x": ["handled"]}

    graph = graph_with(stuck.sync, timeout=SHORT, error_handler=handle)
    chunks = collect(graph, driver, stream_mode=["custom", "updates", "values"])
    assert stuck.log == ["closed"]
    assert chunks[1:] == [
        ("custom", "begun"),
        ("custom", "handled"),
        ("updates", {"__error_handler__work": {"x": ["handled"]}}),
        ("values", {"x": ["in", "handled"]}),
    ]


@pytest.mark.parametrize("driver", DRIVERS)
def test_swallowed_cancellation(driver: str, clock: LimitClock) -> None:
    """An async node cannot refuse to be cut short."""

    async def work(state: Any) -> State:
        clock.advance(SHORT)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        return {"x": ["in spite of all"]}

    chunks, error = outcome(graph_with(work, timeout=SHORT), driver, stream_mode="updates")
    assert chunks == []
    assert type(error) is NodeTimeoutError


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_each_attempt(asynchronous: bool, driver: str, stuck: Stuck) -> None:
    """The limit is one for each attempt, and what it cuts short is tried again by default."""

    def work(state: Any) -> State:
        return {"x": ["done"]} if stuck.calls else stuck.sync(state)  # type: ignore[return-value]

    async def awork(state: Any) -> State:
        return {"x": ["done"]} if stuck.calls else await stuck.asyn(state)  # type: ignore[return-value]

    graph = graph_with(awork if asynchronous else work, timeout=SHORT, retry_policy=FAST)
    assert collect(graph, driver, stream_mode=["custom", "updates"]) == [
        ("custom", "begun"),
        ("updates", {"work": {"x": ["done"]}}),
    ]
    assert stuck.calls == 1


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_siblings(asynchronous: bool, driver: str, stuck: Stuck) -> None:
    """What runs beside a node that is cut short is cancelled, as beside any that fails."""
    ended: List[str] = []

    async def other(state: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("other")

    _, error = outcome(graph_with(node_of(stuck, asynchronous), other, timeout=SHORT), driver)
    assert type(error) is NodeTimeoutError
    assert ended == ["other"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(("own", "sent", "cut"), [(None, SHORT, True), (30, SHORT, True), (SHORT, 30, False)])
def test_send(own: Any, sent: Any, cut: bool, asynchronous: bool, driver: str, stuck: Stuck, clock: LimitClock) -> None:
    """A `Send` can have a limit of its own, which counts in place of the node's."""

    def work(state: Any) -> Any:
        clock.advance(2 * SHORT)
        time.sleep(2 * SHORT)  # who waits for a limit looks at the clock meanwhile
        return {"x": ["done"]}

    async def awork(state: Any) -> Any:
        clock.advance(2 * SHORT)
        await asyncio.sleep(2 * SHORT)
        return {"x": ["done"]}

    node = node_of(stuck, asynchronous) if cut else awork if asynchronous else work
    builder = StateGraph(State).add_node("work", node, timeout=own)
    builder.add_conditional_edges(START, lambda state: [Send("work", {"x": []}, timeout=sent)], ["work"])
    chunks, error = outcome(builder.compile(), driver, stream_mode="updates")
    if cut:
        assert type(error) is NodeTimeoutError
        assert error.timeout == SHORT
    else:
        assert error is None
        assert chunks == [{"work": {"x": ["done"]}}]


def test_send_as_data() -> None:
    """A `Send` holds its limit as a policy."""
    assert Send("a", 1, timeout=2).timeout == TimeoutPolicy(run_timeout=2)
    assert Send("a", 1, timeout=timedelta(seconds=2)) == Send("a", 1, timeout=TimeoutPolicy(run_timeout=2.0))
    assert Send("a", 1) != Send("a", 1, timeout=2)
    assert Send("a", 1).timeout is None
    assert "timeout" in repr(Send("a", 1, timeout=2))
    assert repr(Send("a", 1)) == "Send(node='a', arg=1)"


def test_leaving(stuck: Stuck) -> None:
    """A stream can be left while a node with a limit is at work; a sync node is told to stop."""
    stream = graph_with(stuck.sync, timeout=30).stream({"x": []}, stream_mode="custom")
    assert next(stream) == "begun"
    stream.close()
    stuck.release()
    eventually(lambda: stuck.log == ["closed"])


@pytest.mark.parametrize("asynchronous", [False, True])
def test_leaving_on_a_loop(asynchronous: bool, stuck: Stuck) -> None:
    """The same on an event loop, where an async node has ended when `aclose` returns."""

    async def main() -> None:
        stream = graph_with(node_of(stuck, asynchronous), timeout=30).astream({"x": []}, stream_mode="custom")
        assert await stream.__anext__() == "begun"
        await asyncio.wait_for(stream.aclose(), PATIENCE)
        assert stuck.log == (["finally"] if asynchronous else [])
        stuck.release()

    run(main())
    eventually(lambda: stuck.log == ["finally" if asynchronous else "closed"])


@pytest.mark.parametrize("driver", DRIVERS)
def test_defaults(driver: str, stuck: Stuck, clock: LimitClock) -> None:
    """A limit for all nodes is one for nodes that say nothing else, and none for their error handlers."""

    def slow(state: Any) -> State:
        time.sleep(2 * SHORT)
        return {"x": ["slow"]}

    def handle(state: Any, error: Any) -> State:
        clock.advance(2 * SHORT)
        time.sleep(2 * SHORT)
        return {"x": [error.node]}

    builder = builder_of(stuck.asyn, error_handler=handle).add_node(slow, timeout=30).add_edge(START, "slow")
    graph = builder.set_node_defaults(timeout=SHORT).compile()
    assert collect(graph, driver, stream_mode="values")[-1] == {"x": ["in", "slow", "work"]}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["messages", "custom", "updates"])
@pytest.mark.parametrize("yielded", ["word", 1])
def test_generator_is_stopped(yielded: Any, mode: str, driver: str, clock: LimitClock) -> None:
    """A generator node that was cut short ends at its next yield, a token or not, whoever listens."""
    ended: List[str] = []
    deadline = time.monotonic() + PATIENCE + 2

    def work(state: Any) -> Any:
        try:
            while time.monotonic() < deadline:
                yield yielded
                clock.advance(SHORT)
                time.sleep(0.005)
        finally:
            ended.append("cut short" if time.monotonic() < deadline else "never stopped")

    _, error = outcome(graph_with(work, timeout=SHORT), driver, stream_mode=mode)
    assert type(error) is NodeTimeoutError
    deadline = min(deadline, time.monotonic() + 1)
    eventually(lambda: ended)
    assert ended == ["cut short"]
