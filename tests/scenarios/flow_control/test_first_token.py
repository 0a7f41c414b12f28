"""`TimeoutPolicy(first_token_timeout=...)`: a node whose model does not begin to speak is cut short."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any, Iterator, List

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from streamgraph.errors import GraphBuildError, NodeTimeoutError
from streamgraph.graph import StateGraph
from streamgraph.runtime import get_runtime
from streamgraph.types import RetryPolicy, TimeoutPolicy
from support.value_graphs import State, graph_of
from support.waiting import PATIENCE, run

LIMIT = 0.06
"""For nodes that do not speak in time."""

ENOUGH = 0.3
"""For nodes that do, on a machine that is busy."""


class Late(BaseChatModel):
    """A model that waits before its first token, or before the second."""

    pauses: List[float]
    whole: bool = False
    streamed: bool = False

    @property
    def _llm_type(self) -> str:
        return "late"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        time.sleep(self.pauses[0])
        return ChatResult(generations=[ChatGeneration(message=AIMessage("whole"))])

    def _stream(self, *args: Any, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
        for pause in self.pauses:
            time.sleep(pause)
            chunk = ChatGenerationChunk(message=AIMessageChunk(content="token "))
            if run_manager is not None:
                run_manager.on_llm_new_token("token ", chunk=chunk)
            yield chunk

    async def _astream(self, *args: Any, run_manager: Any = None, **kwargs: Any) -> Any:
        for pause in self.pauses:
            await asyncio.sleep(pause)
            chunk = ChatGenerationChunk(message=AIMessageChunk(content="token "))
            if run_manager is not None:
                await run_manager.on_llm_new_token("token ", chunk=chunk)
            yield chunk


def graph(node: Any, limit: float = LIMIT, policy: Any = None, **options: Any) -> Any:
    """A graph of one node with the limit."""
    builder: Any = StateGraph(State)
    timeout = policy or TimeoutPolicy(first_token_timeout=limit)
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


def yielding(pauses: List[float]) -> Any:
    """A generator node that waits like the model."""

    def node(state: State) -> Any:
        for pause in pauses:
            time.sleep(pause)
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
def test_no_token_in_time(kind: Any, asynchronous: bool, mode: str) -> None:
    """Without a token the attempt fails, whether or not tokens are streamed to anybody."""
    node = kind([4 * LIMIT]) if kind is yielding else kind(Late(pauses=[4 * LIMIT]))
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
def test_no_limit_after_the_first_token(kind: Any, asynchronous: bool, mode: str) -> None:
    """A node that has begun to speak may take its time."""
    pauses = [0.0, 1.2 * ENOUGH]
    node = kind(pauses) if kind is yielding else kind(Late(pauses=pauses))
    assert outcome(graph(node, ENOUGH), asynchronous, mode) == ("values", {"value": "token token "})


def test_finished_message_counts() -> None:
    """A model that does not stream has spoken when its message is there."""

    def node(state: State) -> State:
        message = Late(pauses=[0.0], disable_streaming=True).invoke("?")
        time.sleep(1.2 * ENOUGH)
        return {"value": str(message.content)}

    assert outcome(graph(node, ENOUGH), False, "updates") == ("values", {"value": "whole"})


def test_hidden_token_counts() -> None:
    """A model that nobody is to see speaks as well."""

    def node(state: State) -> Any:
        model = Late(pauses=[0.0, 1.2 * ENOUGH]).with_config(tags=["nostream"])
        return {"value": str(model.invoke("?").content)}

    assert outcome(graph(node, ENOUGH), False, "messages") == ("values", {"value": "token token "})


def test_other_signs_of_life_do_not_count() -> None:
    """Custom data and heartbeats are no tokens."""

    def node(state: State, writer: Any) -> None:
        for _ in range(20):
            writer("alive")
            get_runtime().heartbeat()
            time.sleep(LIMIT / 5)

    with pytest.raises(NodeTimeoutError) as caught:
        list(graph(node).stream({}, stream_mode="custom"))
    assert caught.value.kind == "first_token"


def test_model_in_a_nested_graph_counts() -> None:
    """A token that comes from a graph in the node is one of the node."""
    assert outcome(graph(graph_of(inner=invoking(Late(pauses=[0.0, 1.2 * ENOUGH]))), ENOUGH), False, "updates") == (
        "values",
        {"value": "token token "},
    )
    with pytest.raises(NodeTimeoutError) as caught:
        outcome(graph(graph_of(inner=invoking(Late(pauses=[3 * LIMIT])))), False, "updates")
    assert caught.value.node == "node"


def test_each_attempt_has_its_limit() -> None:
    """A node is tried again after it, and the next attempt has as much time."""
    pauses = [[1.2 * ENOUGH], [0.0, 1.2 * ENOUGH]]

    async def node(state: State) -> State:
        return {"value": str((await Late(pauses=pauses.pop(0)).ainvoke("?")).content)}

    tried = graph(node, ENOUGH, retry_policy=RetryPolicy(initial_interval=0, jitter=False))
    assert outcome(tried, True, "updates") == ("values", {"value": "token token "})
    assert pauses == []


def test_beside_other_limits() -> None:
    """The other limits of a node count as before."""
    go_on = threading.Event()

    def silent(state: State) -> Any:
        yield "token "
        go_on.wait(PATIENCE)

    policy = TimeoutPolicy(run_timeout=5, idle_timeout=LIMIT, first_token_timeout=4)
    with pytest.raises(NodeTimeoutError) as caught:
        list(graph(silent, policy=policy).stream({}, stream_mode="messages"))
    assert (caught.value.kind, caught.value.first_token_timeout) == ("idle", 4)
    policy = TimeoutPolicy(idle_timeout=LIMIT, refresh_on="heartbeat", first_token_timeout=4)
    with pytest.raises(NodeTimeoutError) as caught:
        list(graph(yielding([LIMIT / 3] * 9), policy=policy).stream({}, stream_mode="messages"))
    assert caught.value.kind == "idle"
    go_on.set()


def test_arguments() -> None:
    """It is a positive time, after the fields that LangGraph has."""
    assert TimeoutPolicy(1, 2, "heartbeat", 3).first_token_timeout == 3
    assert TimeoutPolicy(first_token_timeout=timedelta(seconds=2)).first_token_timeout == 2.0
    with pytest.raises(GraphBuildError, match="first_token_timeout must be greater than 0"):
        TimeoutPolicy(first_token_timeout=0)
    wrong: Any = "1"
    with pytest.raises(TypeError, match="first_token_timeout is '1'"):
        TimeoutPolicy(first_token_timeout=wrong)
