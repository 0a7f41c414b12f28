"""`TimeoutPolicy(first_token_timeout=...)`: a node whose model does not begin to speak is cut short."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any, Iterator, List, Optional

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from streamgraph.errors import GraphBuildError, NodeTimeoutError
from streamgraph.graph import StateGraph
from streamgraph.runtime import get_runtime
from streamgraph.types import RetryPolicy, TimeoutPolicy
from support.clocks import LimitClock
from support.value_graphs import State, graph_of
from support.waiting import eventually, run

LIMIT = 0.06
MOMENT = LIMIT / 10
LONGER = 1.2 * LIMIT
TOO_LONG = None
"""A pause that is longer than the limit, and ends when the node is cut short."""


class Pause:
    """Takes time of the clock, and as much that who waits for a limit looks at the clock."""

    def __init__(self, clock: LimitClock) -> None:
        self._clock = clock

    def take(self, seconds: Optional[float]) -> None:
        """Pause in a thread."""
        self._clock.advance(seconds or LIMIT)
        if seconds is TOO_LONG:
            runtime = get_runtime()
            eventually(lambda: runtime.stopped)
        time.sleep(seconds or 0)

    async def atake(self, seconds: Optional[float]) -> None:
        """Pause on the loop."""
        self._clock.advance(seconds or LIMIT)
        if seconds is TOO_LONG:
            await asyncio.Event().wait()
        await asyncio.sleep(seconds or 0)


@pytest.fixture
def pause(clock: LimitClock) -> Pause:
    """It moves the clock of the limits, and nothing else does."""
    return Pause(clock)


class Late(BaseChatModel):
    """A model that waits before its first token, or before the second."""

    pause: Any
    pauses: List[Optional[float]]

    @property
    def _llm_type(self) -> str:
        return "late"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        self.pause.take(self.pauses[0])
        return ChatResult(generations=[ChatGeneration(message=AIMessage("whole"))])

    def _stream(self, *args: Any, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
        for seconds in self.pauses:
            self.pause.take(seconds)
            chunk = ChatGenerationChunk(message=AIMessageChunk(content="token "))
            if run_manager is not None:
                run_manager.on_llm_new_token("token ", chunk=chunk)
            yield chunk

    async def _astream(self, *args: Any, run_manager: Any = None, **kwargs: Any) -> Any:
        for seconds in self.pauses:
            await self.pause.atake(seconds)
            chunk = ChatGenerationChunk(message=AIMessageChunk(content="token "))
            if run_manager is not None:
                await run_manager.on_llm_new_token("token ", chunk=chunk)
            yield chunk


def graph(node: Any, policy: Any = None, **options: Any) -> Any:
    """A graph of one node with the limit."""
    builder: Any = StateGraph(State)
    timeout = policy or TimeoutPolicy(first_token_timeout=LIMIT)
    return builder.add_node("node", node, timeout=timeout, **options).set_entry_point("node").compile()


def invoking(model: Any) -> Any:
    """A sync node that calls the model."""

    def node(state: State) -> State:
        return {"value": str(model.invoke("?").content)}

    return node


def awaiting(model: Any) -> Any:
    """An async node that calls the model."""

    async def node(state: State) -> State:
        return {"value": str((await model.ainvoke("?")).content)}

    return node


def yielding(pause: Pause, pauses: List[Optional[float]]) -> Any:
    """A generator node that waits like the model."""

    def node(state: State) -> Any:
        for seconds in pauses:
            pause.take(seconds)
            yield "token "
        return {"value": "token token "}

    return node


def outcome(compiled: Any, asynchronous: bool, mode: str) -> Any:
    """The last chunk of a stream."""

    async def main() -> Any:
        return [chunk async for chunk in compiled.astream({}, stream_mode=[mode, "values"])][-1]

    return run(main()) if asynchronous else list(compiled.stream({}, stream_mode=[mode, "values"]))[-1]


@pytest.mark.parametrize("mode", ["messages", "updates"])
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", [invoking, awaiting, yielding])
def test_no_token_in_time(kind: Any, asynchronous: bool, mode: str, pause: Pause) -> None:
    """Without a token the attempt fails, whether or not tokens are streamed to anybody."""
    node = kind(pause, [TOO_LONG]) if kind is yielding else kind(Late(pause=pause, pauses=[TOO_LONG]))
    with pytest.raises(NodeTimeoutError) as caught:
        outcome(graph(node), asynchronous, mode)
    error = caught.value
    assert (error.kind, error.node, error.step) == ("first_token", "node", 1)
    assert error.timeout == error.first_token_timeout == LIMIT
    assert error.elapsed >= LIMIT
    assert (error.run_timeout, error.idle_timeout) == (None, None)
    assert "first-token timeout of 0.060s" in str(error)


@pytest.mark.parametrize("mode", ["messages", "updates"])
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", [invoking, awaiting, yielding])
def test_no_limit_after_the_first_token(kind: Any, asynchronous: bool, mode: str, pause: Pause) -> None:
    """A node that has begun to speak may take its time."""
    pauses = [MOMENT, LONGER]
    node = kind(pause, pauses) if kind is yielding else kind(Late(pause=pause, pauses=pauses))
    assert outcome(graph(node), asynchronous, mode) == ("values", {"value": "token token "})


def test_finished_message_counts(pause: Pause) -> None:
    """A model that does not stream has spoken when its message is there."""

    def node(state: State) -> State:
        message = Late(pause=pause, pauses=[MOMENT], disable_streaming=True).invoke("?")
        pause.take(LONGER)
        return {"value": str(message.content)}

    assert outcome(graph(node), False, "updates") == ("values", {"value": "whole"})


def test_hidden_token_counts(pause: Pause) -> None:
    """A model that nobody is to see speaks as well."""

    def node(state: State) -> Any:
        model = Late(pause=pause, pauses=[MOMENT, LONGER]).with_config(tags=["nostream"])
        return {"value": str(model.invoke("?").content)}

    assert outcome(graph(node), False, "messages") == ("values", {"value": "token token "})


def test_other_signs_of_life_do_not_count(pause: Pause) -> None:
    """Custom data and heartbeats are no tokens."""

    def node(state: State, writer: Any) -> None:
        for seconds in (*[LIMIT / 5] * 20, TOO_LONG):
            writer("alive")
            get_runtime().heartbeat()
            pause.take(seconds)

    with pytest.raises(NodeTimeoutError) as caught:
        list(graph(node).stream({}, stream_mode="custom"))
    assert caught.value.kind == "first_token"


def test_model_in_a_nested_graph_counts(pause: Pause) -> None:
    """A token that comes from a graph in the node is one of the node."""
    speaks = graph(graph_of(inner=invoking(Late(pause=pause, pauses=[MOMENT, LONGER]))))
    assert outcome(speaks, False, "updates") == ("values", {"value": "token token "})
    with pytest.raises(NodeTimeoutError) as caught:
        outcome(graph(graph_of(inner=invoking(Late(pause=pause, pauses=[TOO_LONG])))), False, "updates")
    assert caught.value.node == "node"


def test_each_attempt_has_its_limit(pause: Pause) -> None:
    """A node is tried again after it, and the next attempt has as much time."""
    pauses = [[TOO_LONG], [MOMENT, LONGER]]

    async def node(state: State) -> State:
        return {"value": str((await Late(pause=pause, pauses=pauses.pop(0)).ainvoke("?")).content)}

    tried = graph(node, retry_policy=RetryPolicy(initial_interval=0, jitter=False))
    assert outcome(tried, True, "updates") == ("values", {"value": "token token "})
    assert pauses == []


def test_beside_other_limits(pause: Pause) -> None:
    """The other limits of a node count as before."""

    def silent(state: State) -> Any:
        yield "token "
        pause.take(TOO_LONG)

    policy = TimeoutPolicy(run_timeout=5, idle_timeout=LIMIT, first_token_timeout=4)
    with pytest.raises(NodeTimeoutError) as caught:
        list(graph(silent, policy=policy).stream({}, stream_mode="messages"))
    assert (caught.value.kind, caught.value.first_token_timeout) == ("idle", 4)
    policy = TimeoutPolicy(idle_timeout=LIMIT, refresh_on="heartbeat", first_token_timeout=4)
    with pytest.raises(NodeTimeoutError) as caught:
        list(graph(yielding(pause, [*[LIMIT / 3] * 9, TOO_LONG]), policy=policy).stream({}, stream_mode="messages"))
    assert caught.value.kind == "idle"


def test_arguments() -> None:
    """It is a positive time, after the fields that LangGraph has."""
    assert TimeoutPolicy(1, 2, "heartbeat", 3).first_token_timeout == 3
    assert TimeoutPolicy(first_token_timeout=timedelta(seconds=2)).first_token_timeout == 2.0
    with pytest.raises(GraphBuildError, match="first_token_timeout must be greater than 0"):
        TimeoutPolicy(first_token_timeout=0)
    wrong: Any = "1"
    with pytest.raises(TypeError, match="first_token_timeout is '1'"):
        TimeoutPolicy(first_token_timeout=wrong)
