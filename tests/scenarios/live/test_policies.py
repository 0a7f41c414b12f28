"""Questions of nodes with a cache, a time limit or retries: saved, live, sync and async."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable, Dict, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from scenarios.live.answering import CONFIG, answer, play, questions_of
from scenarios.live.asking_graphs import GIVEN, State
from streamgraph.cache.memory import InMemoryCache
from streamgraph.errors import NodeTimeoutError
from streamgraph.graph import START, StateGraph
from streamgraph.types import CachePolicy, Command, RetryPolicy, TimeoutPolicy, ainterrupt, interrupt
from support.clocks import LimitClock

LIMIT = 0.05  # seconds that a node may take
THOUGHT = 0.2  # seconds that a person takes
AGAIN = RetryPolicy(max_attempts=3, initial_interval=0.001, jitter=False)

Ran = List[str]

kinds = pytest.mark.parametrize("kind", ["sync", "awaits", "plain"])
ways = pytest.mark.parametrize("live", [False, True], ids=["saved", "live"])
drivers = pytest.mark.parametrize("asynchronous", [False, True], ids=["by stream", "by astream"])


class Counting(InMemoryCache):
    """A cache that counts what it is given to keep."""

    kept = 0

    def set(self, pairs: Any) -> None:
        self.kept += len(pairs)
        super().set(pairs)

    async def aset(self, pairs: Any) -> None:
        self.set(pairs)


def asking(kind: str, ran: Ran, then: Callable[[], Any] = lambda: None) -> Any:
    """A node that asks twice, and does something after its last answer."""

    def ask(state: Any) -> Any:
        ran.append("top")
        answers = [interrupt("one"), interrupt("two")]
        then()
        ran.append("end")
        return {"seen": answers}

    async def awaits(state: Any) -> Any:
        ran.append("top")
        answers = [await ainterrupt("one"), await ainterrupt("two")]
        then()
        ran.append("end")
        return {"seen": answers}

    async def plain(state: Any) -> Any:
        return ask(state)

    return {"sync": ask, "awaits": awaits, "plain": plain}[kind]


def compiled(node: Any, cache: Any = None, **policies: Any) -> Any:
    """A graph of one node, on a saver of its own."""
    builder = StateGraph(State).add_node("ask", node, **policies).add_edge(START, "ask")
    return builder.compile(checkpointer=InMemorySaver(), cache=cache)


def converse(graph: Any, live: bool, asynchronous: bool) -> Any:
    """Run a graph to its end, in one live run or in one run for each answer.

    Returns:
        What was asked, in turn, and the final output.
    """
    if live:
        parts, output = play(graph, GIVEN, asynchronous)
        return [question.value for part in parts for question in questions_of(part)], output
    asked: List[Any] = []
    given: Any = GIVEN
    while True:
        if asynchronous:
            output = asyncio.run(graph.ainvoke(given, CONFIG))
        else:
            output = graph.invoke(given, CONFIG)
        questions = output.pop("__interrupt__", ())
        if not questions:
            return asked, output
        asked += [question.value for question in questions]
        given = Command(resume={question.id: answer(question) for question in questions})


WANTED: Dict[str, Any] = {"seen": ["in", "<one>", "<two>"]}


def tops(kind: str, live: bool) -> int:
    """How often a node begins: once for each of its answers, unless it waits where it stands."""
    return 1 if live and kind != "plain" else 3


@kinds
@ways
@drivers
def test_a_question_is_not_cached_and_the_result_is(kind: str, live: bool, asynchronous: bool) -> None:
    """While a node asks, the cache is empty; another thread with the same input then gets the result unasked."""
    ran: Ran = []
    cache = Counting()
    graph = compiled(asking(kind, ran, lambda: ran.append(f"{cache.kept} kept")), cache, cache_policy=CachePolicy())
    assert converse(graph, live, asynchronous) == (["one", "two"], WANTED)
    assert ran == ["top"] * tops(kind, live) + ["0 kept", "end"]
    assert cache.kept == 1

    other: Any = {"configurable": {"thread_id": "other"}}
    if asynchronous:
        output = asyncio.run(graph.ainvoke(GIVEN, other))
    else:
        output = graph.invoke(GIVEN, other)
    assert output == WANTED  # the answers of the first thread: the node is said to depend on its input alone
    assert ran.count("top") == tops(kind, live)


@kinds
@drivers
def test_a_thread_that_was_left_at_its_question_takes_the_result_of_another(kind: str, asynchronous: bool) -> None:
    """As with LangGraph, the cache is looked up again when the node would run again, and its answer is not needed."""
    ran: Ran = []
    graph = compiled(asking(kind, ran), InMemoryCache(), cache_policy=CachePolicy())
    other: Any = {"configurable": {"thread_id": "other"}}
    asked = asyncio.run(graph.ainvoke(GIVEN, other)) if asynchronous else graph.invoke(GIVEN, other)
    (question,) = asked["__interrupt__"]
    converse(graph, False, asynchronous)
    before = ran.count("top")
    command = Command(resume={question.id: "late"})
    output = asyncio.run(graph.ainvoke(command, other)) if asynchronous else graph.invoke(command, other)
    assert output == WANTED
    assert ran.count("top") == before
    assert graph.get_state(other).interrupts == ()


@ways
@drivers
@pytest.mark.parametrize("kind", ["sync", "awaits", "plain"])
def test_a_failure_after_the_answers_is_retried_with_them(kind: str, live: bool, asynchronous: bool) -> None:
    """Nothing is asked again, and the question itself does not count as an attempt."""
    ran: Ran = []
    failures = [ConnectionError("first"), ConnectionError("second")]

    def fails() -> None:
        if failures:
            raise failures.pop(0)

    graph = compiled(asking(kind, ran, fails), retry_policy=AGAIN)
    assert converse(graph, live, asynchronous) == (["one", "two"], WANTED)
    assert ran == ["top"] * (tops(kind, live) + 2) + ["end"]


@ways
@drivers
@pytest.mark.parametrize("kind", ["sync", "awaits", "plain"])
def test_a_question_is_no_failure_for_a_policy_that_retries_everything(
    kind: str, live: bool, asynchronous: bool
) -> None:
    """It is asked once for each answer."""
    ran: Ran = []
    policy = RetryPolicy(max_attempts=5, initial_interval=0.001, jitter=False, retry_on=lambda error: True)
    graph = compiled(asking(kind, ran), retry_policy=policy)
    assert converse(graph, live, asynchronous) == (["one", "two"], WANTED)
    assert ran.count("top") == tops(kind, live)


@kinds
@ways
def test_thinking_does_not_count_as_time_of_the_node(kind: str, live: bool, clock: LimitClock) -> None:
    """It neither exceeds the limit nor makes an attempt fail, which would be retried."""
    ran: Ran = []
    policies: Any = {"timeout": TimeoutPolicy(run_timeout=LIMIT), "retry_policy": AGAIN}
    graph = compiled(asking(kind, ran), **policies)
    stream = graph.stream(GIVEN, CONFIG, stream_mode="updates", interrupts="live" if live else "pause")
    first = next(stream)["__interrupt__"][0]
    clock.advance(THOUGHT)
    time.sleep(2 * LIMIT)  # who waits for a limit looks at the clock meanwhile
    if live:
        stream.answer(first.id, answer(first))
        second = next(chunk["__interrupt__"][0] for chunk in stream if "__interrupt__" in chunk)
        stream.answer(second.id, answer(second))
        output = stream.run()
    else:
        stream.close()
        (second,) = graph.invoke(Command(resume={first.id: answer(first)}), CONFIG)["__interrupt__"]
        output = graph.invoke(Command(resume={second.id: answer(second)}), CONFIG)
    assert output == WANTED
    assert ran == ["top"] * tops(kind, live) + ["end"]


@ways
@drivers
def test_a_time_limit_that_is_exceeded_after_the_answer(live: bool, asynchronous: bool, clock: LimitClock) -> None:
    """The next attempt has the answers, and asks nothing."""
    ran: Ran = []

    async def ask(state: Any) -> Any:
        answers = [await ainterrupt("one"), await ainterrupt("two")]
        ran.append("answered")
        if ran == ["answered"]:
            clock.advance(LIMIT)
            await asyncio.Event().wait()
        return {"seen": answers}

    retry = RetryPolicy(initial_interval=0.001, jitter=False, retry_on=NodeTimeoutError)
    graph = compiled(ask, timeout=TimeoutPolicy(run_timeout=LIMIT), retry_policy=retry)
    assert converse(graph, live, asynchronous) == (["one", "two"], WANTED)
    assert ran == ["answered", "answered"]
