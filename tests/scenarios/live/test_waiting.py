"""While a live run waits for a person: time limits stand still, heartbeats come, and nothing else is held up."""

from __future__ import annotations

import asyncio
import time
from typing import Any, List

import pytest

from scenarios.live.answering import answer, finish, until
from scenarios.live.asking_graphs import GIVEN, PLACES, State, asker, awaiting, graph, nested, plain
from streamgraph.errors import NodeTimeoutError
from streamgraph.graph import START, StateGraph
from streamgraph.runtime import Runtime
from streamgraph.types import Heartbeat, TimeoutPolicy, ainterrupt, interrupt
from support.clocks import LimitClock
from support.waiting import eventually

LIVE: Any = {"interrupts": "live", "version": "v2"}
LIMIT = 0.05  # seconds that a node may take
THOUGHT = 0.4  # seconds that a person takes

TIMEOUTS = {
    "run": TimeoutPolicy(run_timeout=LIMIT),
    "idle": TimeoutPolicy(idle_timeout=LIMIT),
    "first": TimeoutPolicy(first_token_timeout=LIMIT),
}


def nothing() -> None:
    """Is called at the top of code that asks."""


def limited(node: Any, timeout: Any) -> Any:
    return StateGraph(State).add_node("ask", node, timeout=timeout).add_edge(START, "ask").compile()


def think(stream: Any, clock: LimitClock) -> None:
    """Pull a stream until it asks, take more time than a node may, and answer."""
    until(stream, lambda: stream.questions)
    clock.advance(THOUGHT)
    time.sleep(2 * LIMIT)  # who waits for a limit looks at the clock meanwhile
    for question in stream.questions:
        stream.answer(question.id, answer(question))


@pytest.mark.parametrize("limit", TIMEOUTS)
@pytest.mark.parametrize("make", [asker, awaiting, plain, nested(asker)], ids=["sync", "async", "plain", "nested"])
def test_the_time_of_a_node_stands_still(make: Any, limit: str, clock: LimitClock) -> None:
    """A person may think longer than a node may take, and afterwards the node has the time that it had left."""
    node = make(nothing, "sure?") if make in (asker, awaiting, plain) else make(nothing, None)
    stream = limited(node, TIMEOUTS[limit]).stream(GIVEN, **LIVE)
    think(stream, clock)
    finish(stream)
    assert "in" in stream.output["seen"]
    assert len(stream.output["seen"]) > 1


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_it_goes_on_after_the_answer(kind: str, clock: LimitClock) -> None:
    """The limit holds for what the node does itself."""

    def ask(state: Any, runtime: Runtime) -> Any:
        interrupt("sure?")
        clock.advance(LIMIT)
        eventually(lambda: runtime.stopped)

    async def aask(state: Any) -> Any:
        await ainterrupt("sure?")
        clock.advance(LIMIT)
        await asyncio.Event().wait()

    stream = limited(ask if kind == "sync" else aask, TIMEOUTS["run"]).stream(GIVEN, **LIVE)
    think(stream, clock)
    with pytest.raises(NodeTimeoutError) as caught:
        finish(stream)
    assert caught.value.elapsed < THOUGHT


def test_the_time_of_a_step_stands_still(clock: LimitClock) -> None:
    """Also if the node itself has no limit."""
    compiled = graph(None, asker(nothing, "sure?"))
    compiled.step_timeout = LIMIT
    stream = compiled.stream(GIVEN, **LIVE)
    think(stream, clock)
    finish(stream)
    assert stream.output["seen"] == ["in", "<sure?>"]


@pytest.mark.parametrize("name", ["called", "async called", "plain tool", "nested"])
def test_heartbeats_come_meanwhile(name: str) -> None:
    """They name the task that waits."""
    place = PLACES[name]
    stream = place.build(nothing, None).stream(place.given, heartbeat=0.01, **LIVE)
    until(stream, lambda: len(stream.questions) == len(place.asked))
    beat = next(part["data"] for part in stream if part["type"] == "heartbeat")
    assert isinstance(beat, Heartbeat)
    assert [task.node for task in beat.running] == [{"plain tool": "tools"}.get(name, "outer")]
    finish(stream)
    assert place.read(stream.output) == place.wanted


@pytest.mark.parametrize("make", [asker, awaiting, plain], ids=["sync", "async", "plain"])
def test_what_is_beside_it_goes_on(make: Any) -> None:
    """A task that asks nothing finishes, and its update is shown, while another waits."""
    stream = graph(None, ask=make(nothing, "sure?"), other=lambda state: {"seen": ["other"]}).stream(GIVEN, **LIVE)
    parts: List[Any] = []
    while not any("other" in part["data"] for part in parts) or not stream.questions:
        parts.append(next(stream))
    assert stream.status == "paused"
    finish(stream)
    assert stream.output["seen"] == ["in", "<sure?>", "other"]


def test_many_may_wait_at_once() -> None:
    """More sync tools than an executor has threads wait on one loop, and others still get a thread."""
    place, names = PLACES["tools"], [f"t{number}" for number in range(40)]
    given = {"messages": [place.given["messages"][0].model_copy(update={"tool_calls": calls(names)})]}

    async def main() -> Any:
        stream = place.build(nothing, None).astream(given, **LIVE)
        pulling = asyncio.ensure_future(stream.run())
        while len(stream.questions) < len(names):
            await asyncio.sleep(0.001)
        assert await asyncio.get_running_loop().run_in_executor(None, lambda: "free") == "free"
        for question in stream.questions:
            await stream.aanswer(question.id, answer(question))
        return await pulling

    assert place.read(asyncio.run(main())) == [f"<{name}>" for name in names]


def calls(names: List[str]) -> List[Any]:
    return [{"name": "ask", "args": {"name": name}, "id": f"call {name}", "type": "tool_call"} for name in names]


def test_nothing_runs_while_it_waits() -> None:
    """Waiting takes no processor time: no thread asks again and again if there is an answer."""
    stream = graph(None, asker(nothing, "a"), b=awaiting(nothing, "b"), c=plain(nothing, "c")).stream(GIVEN, **LIVE)
    until(stream, lambda: len(stream.questions) == 3)
    began = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - began < 0.1
    finish(stream)
