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
from streamgraph.types import TimeoutPolicy
from support.policies import DRIVERS, SHORT, State, Stuck, graph_with, outcome
from support.waiting import eventually

IDLE = 0.25
TICK = 0.06  # six of them are more than IDLE, each is much less


def ticking(each: Any, asynchronous: bool) -> Any:
    """A node that works six ticks long and does something after each."""

    def work(state: Any, runtime: Any) -> State:
        for _ in range(6):
            time.sleep(TICK)
            each(runtime)
        return {"x": ["done"]}

    async def awork(state: Any, runtime: Any) -> State:
        for _ in range(6):
            await asyncio.sleep(TICK)
            each(runtime)
        return {"x": ["done"]}

    return awork if asynchronous else work


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("refresh_on", ["auto", "heartbeat"])
@pytest.mark.parametrize(("sign", "mode"), [("writer", "updates"), ("writer", "custom"), ("heartbeat", "updates")])
def test_signs_of_life(mode: str, sign: str, refresh_on: Any, asynchronous: bool, driver: str) -> None:
    """A writer call is a sign of life, whoever listens, unless only heartbeats count."""
    each = {
        "writer": lambda runtime: runtime.stream_writer("tick"),
        "heartbeat": lambda runtime: runtime.heartbeat(),
    }[sign]
    policy = TimeoutPolicy(idle_timeout=IDLE, refresh_on=refresh_on)
    chunks, error = outcome(graph_with(ticking(each, asynchronous), timeout=policy), driver, stream_mode=mode)

    if sign == "heartbeat" or (sign == "writer" and refresh_on == "auto"):
        assert error is None
        assert chunks == ([{"work": {"x": ["done"]}}] if mode == "updates" else ["tick"] * 6 * (sign == "writer"))
    else:
        assert type(error) is NodeTimeoutError
        assert error.kind == "idle"


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_run_limit_is_not_moved(asynchronous: bool, driver: str) -> None:
    """Nothing extends the time for the whole attempt."""

    def each(runtime: Any) -> None:
        runtime.stream_writer("tick")
        runtime.heartbeat()

    policy = TimeoutPolicy(run_timeout=IDLE, idle_timeout=IDLE)
    _, error = outcome(graph_with(ticking(each, asynchronous), timeout=policy), driver, stream_mode="custom")
    assert type(error) is NodeTimeoutError
    assert error.kind == "run"


class TickingModel(BaseChatModel):
    """A model that takes a tick for each of six words; awaited, it streams in a thread, for it has no `_astream`."""

    @property
    def _llm_type(self) -> str:
        return "ticking"

    def _stream(self, messages: List[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for _ in range(6):
            time.sleep(TICK)
            yield ChatGenerationChunk(message=AIMessageChunk("word "))

    def _generate(self, messages: List[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        words = [chunk.text for chunk in self._stream(messages)]
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(words)))])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
@pytest.mark.parametrize("refresh_on", ["auto", "heartbeat"])
def test_tokens(refresh_on: Any, call: str, driver: str) -> None:
    """A model's tokens are signs of life, also where nobody asked for messages."""
    model = TickingModel()

    def work(state: Any) -> State:
        return {"x": [model.invoke("?").content]}

    async def awork(state: Any) -> State:
        return {"x": [(await model.ainvoke("?")).content]}

    policy = TimeoutPolicy(idle_timeout=IDLE, refresh_on=refresh_on)
    graph = graph_with(work if call == "invoke" else awork, timeout=policy)
    chunks, error = outcome(graph, driver, stream_mode="updates")
    if refresh_on == "auto":
        assert error is None
        assert chunks == [{"work": {"x": ["word " * 6]}}]
    else:
        assert type(error) is NodeTimeoutError


def nested(each: Any) -> Any:
    """A graph of six nodes, each of which takes a tick."""

    def node(state: Any, runtime: Any) -> State:
        time.sleep(TICK)
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
def test_nested_graph(sign: str, called: bool, driver: str) -> None:
    """What goes on in a graph inside the node is a sign of life: its nodes, their writers, their heartbeats."""
    each = {
        "nodes": lambda runtime: None,
        "writer": lambda runtime: runtime.stream_writer("tick"),
        "heartbeat": lambda runtime: runtime.heartbeat(),
    }[sign]
    inner = nested(each)
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
def test_generator_node(yielded: Any, mode: str, driver: str) -> None:
    """What a generator node yields is a sign of life, a token or not, whoever listens."""

    def work(state: Any) -> Any:
        for _ in range(6):
            time.sleep(TICK)
            yield yielded
        return {"x": ["done"]}

    _, error = outcome(graph_with(work, timeout=TimeoutPolicy(idle_timeout=IDLE)), driver, stream_mode=mode)
    assert error is None
