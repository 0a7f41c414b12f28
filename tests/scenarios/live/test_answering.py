"""How a live run is answered: from anywhere, once, with what fits, and with an error that names what is open."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import Any, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import ValidationError

from scenarios.live.answering import CONFIG, aread, finish, read, until
from scenarios.live.asking_graphs import GIVEN, PLACES, asker, awaiting, graph
from streamgraph.errors import NotSupportedError, UnknownInterruptError, UnknownKeywordError, UnknownOptionError
from streamgraph.types import Command, Paused, Unstreamed, ainterrupt, interrupt

LIVE: Any = {"interrupts": "live", "version": "v2"}


def nothing() -> None:
    """Is called at the top of code that asks, where a test does not count it."""


@pytest.mark.parametrize("saver", [None, InMemorySaver()], ids=["unsaved", "saved"])
def test_local_variables_stay(saver: Any) -> None:
    """The node goes on in the same call: an object that cannot be stored is still there."""
    lock = threading.Lock()

    def ask(state: Any) -> Any:
        with lock:  # cannot be copied, and would not be taken twice
            first = interrupt("first")
            return {"seen": [first, interrupt("second")]}

    stream = graph(saver, ask).stream(GIVEN, CONFIG, **LIVE)
    read(stream)
    assert stream.output == {"seen": ["in", "<first>", "<second>"]}


def test_it_is_answered_from_any_thread_task_and_loop() -> None:
    """Who reads waits meanwhile, in a thread or on a loop."""
    sync = graph(None, asker(nothing, "a"), b=awaiting(nothing, "b")).stream(GIVEN, **LIVE)

    def answer(stream: Any) -> None:
        for value in ("a", "b"):
            while value not in [question.value for question in stream.questions]:
                time.sleep(0.001)
            (id_,) = [question.id for question in stream.questions if question.value == value]
            asyncio.run(stream.aanswer(id_, value)) if hasattr(stream, "aanswer") else stream.answer(id_, value)

    thread = threading.Thread(target=answer, args=(sync,))
    thread.start()
    assert sorted(sync.run()["seen"]) == ["a", "b", "in"]
    thread.join()

    async def main() -> Any:
        stream = graph(None, asker(nothing, "a"), b=awaiting(nothing, "b")).astream(GIVEN, **LIVE)
        return (await asyncio.gather(stream.run(), asyncio.to_thread(answer, stream)))[0]

    if hasattr(asyncio, "to_thread"):
        assert sorted(asyncio.run(main())["seen"]) == ["a", "b", "in"]


def test_wrong_answers_say_what_is_open() -> None:
    """An unknown id, a second answer, and one after the end change nothing, and are not lost silently."""
    stream = PLACES["nodes"].build(nothing, None).stream(GIVEN, **LIVE)
    assert (stream.status, stream.questions) == ("pending", [])
    with pytest.raises(UnknownInterruptError) as caught:
        stream.answer("x", 1)
    assert caught.value.pending_ids == ()
    until(stream, lambda: len(stream.questions) == 2)
    ids = {question.value: question.id for question in stream.questions}
    with pytest.raises(UnknownInterruptError, match=f"did you mean '{ids['a1']}'") as caught:
        stream.answer(ids["a1"][:-1] + "-", 1)
    assert set(caught.value.pending_ids) == set(ids.values())
    stream.answer(ids["b"], "<b>")
    with pytest.raises(UnknownInterruptError, match="answered already") as caught:
        stream.answer(ids["b"], "again")
    assert caught.value.pending_ids == (ids["a1"],)
    stream.answer(ids["a1"], "<a1>")
    finish(stream)
    assert sorted(stream.output["seen"]) == ["<a1>", "<a2>", "<b>", "c", "in"]
    with pytest.raises(UnknownInterruptError, match="over"):
        stream.answer("x" * 32, "late")


def test_of_many_answers_one_counts() -> None:
    """Of those that answer a question at the same time, one gets no error: the one whose answer is taken."""
    for _ in range(20):
        stream = PLACES["called"].build(nothing, None).stream(GIVEN, **LIVE)
        until(stream, lambda stream=stream: stream.questions)  # type: ignore[misc]
        (question,), start, taken = stream.questions, threading.Barrier(4), []

        def answer(number: int, stream: Any = stream, id_: str = question.id, taken: List[int] = taken) -> None:
            start.wait()
            try:
                stream.answer(id_, number)
            except UnknownInterruptError:
                return
            taken.append(number)

        threads = [threading.Thread(target=answer, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stream.run()
        assert stream.output["seen"][1:] == taken


def test_a_run_that_is_not_live_says_so() -> None:
    """The error says how to answer it."""
    for options in ({}, {"interrupts": None}, {"interrupts": "pause"}):
        stream = PLACES["nodes"].build(nothing, None).stream(GIVEN, version="v2", **options)
        list(stream)
        assert stream.status == "paused"
        with pytest.raises(NotSupportedError, match='interrupts="live".*Command'):
            stream.answer(stream.questions[0].id, 1)


def test_wrong_options_are_refused() -> None:
    """An unknown value; and `invoke`, of which nobody can answer anything."""
    compiled = PLACES["nodes"].build(nothing, None)
    with pytest.raises(UnknownOptionError, match="did you mean 'live'|'live'"):
        compiled.stream(GIVEN, interrupts="life")
    with pytest.raises(UnknownKeywordError):
        compiled.invoke(GIVEN, interrupts="live")


@dataclass
class Amount:
    euros: int


@pytest.mark.parametrize("kind", ["sync", "async", "plain"])
def test_an_answer_that_does_not_fit_is_refused(kind: str) -> None:
    """Who answers gets the error, and the question stays open; the node gets an object of the class."""

    def ask(state: Any) -> Any:
        return {"seen": [interrupt("how much?", response_schema=Amount)]}

    async def aask(state: Any) -> Any:
        return {"seen": [await ainterrupt("how much?", response_schema=Amount)]}

    async def plain(state: Any) -> Any:
        return ask(state)

    stream = graph(None, ask={"sync": ask, "async": aask, "plain": plain}[kind]).stream(GIVEN, **LIVE)
    until(stream, lambda: stream.questions)
    (question,) = stream.questions
    assert question.response_schema["properties"]["euros"]["type"] == "integer"  # type: ignore[index]
    with pytest.raises(ValidationError):
        stream.answer(question.id, {"euros": "many"})
    assert stream.status == "paused"
    stream.answer(question.id, {"euros": 5})
    assert stream.run() == {"seen": ["in", Amount(5)]}


@pytest.mark.parametrize("name", ["nodes", "async nodes", "plain nodes", "graph in tool", "nested", "workflow"])
def test_the_stream_knows_that_it_is_paused(name: str) -> None:
    """Its status, and `explain()`, which says what is asked, where, and since when."""
    place, before = PLACES[name], time.time()
    stream = place.build(nothing, None).stream(place.given, **LIVE)
    until(stream, lambda: stream.questions)
    assert stream.status == "paused"
    (first, *_) = [reason for reason in stream.explain() if isinstance(reason, Paused)]
    assert first == stream.questions[0]
    assert first.since is not None
    assert before <= first.since <= time.time()
    text = str(first)
    assert str(first.value) in text
    assert first.id in text
    assert first.node is not None
    assert first.node in text
    assert [reason for reason in stream.explain() if isinstance(reason, Unstreamed)]  # the mode was not asked for
    finish(stream)
    assert (stream.status, stream.questions) == ("done", [])
    assert place.read(stream.output) == place.wanted


def test_a_run_that_ends_with_questions_knows_it_too() -> None:
    """Also those that were asked in an earlier run; a run at a breakpoint is paused without a question."""
    compiled = PLACES["nodes"].build(nothing, InMemorySaver())
    stream = compiled.stream(GIVEN, CONFIG)
    list(stream)
    assert stream.status == "paused"
    asked = {question.value: (question.node, question.step) for question in stream.questions}
    assert asked == {"a1": ("a", 1), "b": ("b", 1)}
    ids = {question.value: question.id for question in stream.questions}
    again = compiled.stream(Command(resume={ids["b"]: "<b>"}), CONFIG)
    list(again)
    assert [(question.value, question.id) for question in again.questions] == [("a1", ids["a1"])]
    assert str(again.questions[0])
    stopped = PLACES["nodes"].build(nothing, InMemorySaver()).stream(GIVEN, CONFIG, interrupt_before=["a"])
    list(stopped)
    assert (stopped.status, stopped.questions) == ("paused", [])


def test_a_caught_question_is_asked_all_the_same() -> None:
    """In a thread there is no exception; on an event loop the node runs again, whatever it has made of it."""

    def careless(state: Any) -> Any:
        try:
            return {"seen": [interrupt("sure?")]}
        except Exception:
            return {"seen": ["caught"]}

    async def aware(state: Any) -> Any:
        return careless(state)

    for node in (careless, aware):
        stream = graph(None, ask=node).stream(GIVEN, **LIVE)
        read(stream)
        assert stream.output == {"seen": ["in", "<sure?>"]}


def test_a_saved_run_that_asked_before_goes_on_live() -> None:
    """Answers that are given at the start and answers that are given meanwhile come together."""
    place, tops = PLACES["nodes"], []  # type: ignore[var-annotated]
    compiled = place.build(lambda: tops.append(1), InMemorySaver())
    asked = {question.value: question.id for question in compiled.invoke(GIVEN, CONFIG)["__interrupt__"]}
    stream = compiled.stream(Command(resume={asked["a1"]: "<a1>"}), CONFIG, **LIVE)
    finish(stream)
    assert place.read(compiled.get_state(CONFIG).values) == place.wanted


def test_it_reads_as_it_is_answered() -> None:
    """An async consumer answers on its own loop, while other tasks of the loop go on."""

    async def main() -> None:
        ticks: List[int] = []

        async def tick() -> None:
            while True:
                ticks.append(1)
                await asyncio.sleep(0.001)

        ticking = asyncio.ensure_future(tick())
        stream = PLACES["tools"].build(nothing, None).astream(PLACES["tools"].given, **LIVE)
        reading = asyncio.ensure_future(aread(stream, wait_for=3))
        while len(ticks) < 20:
            await asyncio.sleep(0.001)
        await reading
        ticking.cancel()
        assert PLACES["tools"].read(stream.output) == PLACES["tools"].wanted

    asyncio.run(main())
