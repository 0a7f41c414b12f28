"""What counts as a sign of life of a node with an idle timeout."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Iterator, List

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from streamgraph.errors import NodeTimeoutError
from streamgraph.graph import START, StateGraph
from streamgraph.runtime import get_runtime
from streamgraph.types import TimeoutPolicy
from support.clocks import LimitClock
from support.policies import DRIVERS, SHORT, State, Stuck, graph_with, outcome
from support.waiting import eventually

IDLE = 0.05
TICK = 0.02  # six of them are more than IDLE, each is much less


class Work:
    """A node's work: it takes a tick of the clock, and as long that who waits for a limit looks at the clock."""

    def __init__(self, clock: LimitClock) -> None:
        self._clock = clock

    def tick(self) -> None:
        """Work in a thread."""
        self._clock.advance(TICK)
        time.sleep(TICK)

    async def atick(self) -> None:
        """Work on the loop."""
        self._clock.advance(TICK)
        await asyncio.sleep(TICK)


@pytest.fixture
def work(clock: LimitClock) -> Work:
    """It moves the clock of the limits, and nothing else does."""
    return Work(clock)


def ticking(each: Any, asynchronous: bool, work: Work, cut: bool) -> Any:
    """A node that works six ticks long and does something after each; if it is to be cut short, it waits for that."""

    def node(state: Any, runtime: Any) -> State:
        for _ in range(6):
            work.tick()
            each(runtime)
        if cut:
            eventually(lambda: runtime.stopped)
        return {"x": ["done"]}

    async def anode(state: Any, runtime: Any) -> State:
        for _ in range(6):
            await work.atick()
            each(runtime)
        if cut:
            await asyncio.Event().wait()
        return {"x": ["done"]}

    return anode if asynchronous else node


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("refresh_on", ["auto", "heartbeat"])
@pytest.mark.parametrize(("sign", "mode"), [("writer", "updates"), ("writer", "custom"), ("heartbeat", "updates")])
def test_signs_of_life(mode: str, sign: str, refresh_on: Any, asynchronous: bool, driver: str, work: Work) -> None:
    """A writer call is a sign of life, whoever listens, unless only heartbeats count."""
    each = {
        "writer": lambda runtime: runtime.stream_writer("tick"),
        "heartbeat": lambda runtime: runtime.heartbeat(),
    }[sign]
    policy = TimeoutPolicy(idle_timeout=IDLE, refresh_on=refresh_on)
    cut = sign == "writer" and refresh_on == "heartbeat"
    graph = graph_with(ticking(each, asynchronous, work, cut), timeout=policy)
    chunks, error = outcome(graph, driver, stream_mode=mode)

    if not cut:
        assert error is None
        assert chunks == ([{"work": {"x": ["done"]}}] if mode == "updates" else ["tick"] * 6 * (sign == "writer"))
    else:
        assert type(error) is NodeTimeoutError
        assert error.kind == "idle"


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_run_limit_is_not_moved(asynchronous: bool, driver: str, work: Work) -> None:
    """Nothing extends the time for the whole attempt."""

    def each(runtime: Any) -> None:
        runtime.stream_writer("tick")
        runtime.heartbeat()

    policy = TimeoutPolicy(run_timeout=IDLE, idle_timeout=IDLE)
    graph = graph_with(ticking(each, asynchronous, work, True), timeout=policy)
    _, error = outcome(graph, driver, stream_mode="custom")
    assert type(error) is NodeTimeoutError
    assert error.kind == "run"


class TickingModel(BaseChatModel):
    """A model that takes a tick for each of six words; awaited, it streams in a thread, for it has no `_astream`."""

    work: Any
    cut: bool

    @property
    def _llm_type(self) -> str:
        return "ticking"

    def _stream(self, messages: List[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        runtime = get_runtime()
        for _ in range(6):
            self.work.tick()
            yield ChatGenerationChunk(message=AIMessageChunk("word "))
        if self.cut:
            eventually(lambda: runtime.stopped)

    def _generate(self, messages: List[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        words = [chunk.text for chunk in self._stream(messages)]
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(words)))])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
@pytest.mark.parametrize("refresh_on", ["auto", "heartbeat"])
def test_tokens(refresh_on: Any, call: str, driver: str, work: Work) -> None:
    """A model's tokens are signs of life, also where nobody asked for messages."""
    model = TickingModel(work=work, cut=refresh_on == "heartbeat")

    def node(state: Any) -> State:
        return {"x": [model.invoke("?").content]}

    async def anode(state: Any) -> State:
        return {"x": [(await model.ainvoke("?")).content]}

    policy = TimeoutPolicy(idle_timeout=IDLE, refresh_on=refresh_on)
    graph = graph_with(node if call == "invoke" else anode, timeout=policy)
    chunks, error = outcome(graph, driver, stream_mode="updates")
    if refresh_on == "auto":
        assert error is None
        assert chunks == [{"work": {"x": ["word " * 6]}}]
    else:
        assert type(error) is NodeTimeoutError


def nested(each: Any, work: Work) -> Any:
    """A graph of six nodes, each of which takes a tick."""

    def node(state: Any, runtime: Any) -> State:
        work.tick()
        each(runtime)
        return {"x": [1]}

    builder, before = StateGraph(State), START
    for name in "abcdef":
        builder.add_node(name, node).add_edge(before, name)
        before = name
    return builder.compile()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("sign", ["nodes", "writer", "heartbeat"])
def test_nested_graph(sign: str, called: bool, driver: str, work: Work) -> None:
    """What goes on in a graph inside the node is a sign of life: its nodes, their writers, their heartbeats."""
    each = {
        "nodes": lambda runtime: None,
        "writer": lambda runtime: runtime.stream_writer("tick"),
        "heartbeat": lambda runtime: runtime.heartbeat(),
    }[sign]
    inner = nested(each, work)
    policy = TimeoutPolicy(idle_timeout=IDLE, refresh_on="heartbeat" if sign == "heartbeat" else "auto")
    node = (lambda state: {"x": inner.invoke({"x": []})["x"]}) if called else inner
    chunks, error = outcome(graph_with(node, timeout=policy), driver, {"x": []}, stream_mode="updates")
    assert error is None
    assert chunks == [{"work": {"x": [1] * 6}}]


@pytest.mark.parametrize("driver", DRIVERS)
def test_silent_nested_graph(driver: str, stuck: Stuck) -> None:
    """A graph in which nothing goes on is cut short like any other node, and what runs in it has ended."""
    _, error = outcome(
        graph_with(graph_with(stuck.asyn), name="sub", timeout=TimeoutPolicy(idle_timeout=SHORT)), driver
    )
    assert type(error) is NodeTimeoutError
    assert (error.node, error.kind) == ("sub", "idle")
    eventually(lambda: stuck.log == ["finally"])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["messages", "custom", "updates"])
@pytest.mark.parametrize("yielded", ["word", 1])
def test_generator_node(yielded: Any, mode: str, driver: str, work: Work) -> None:
    """What a generator node yields is a sign of life, a token or not, whoever listens."""

    def node(state: Any) -> Any:
        for _ in range(6):
            work.tick()
            yield yielded
        return {"x": ["done"]}

    _, error = outcome(graph_with(node, timeout=TimeoutPolicy(idle_timeout=IDLE)), driver, stream_mode=mode)
    assert error is None
