"""A run that was started on its own asks, and ends with its question or goes on with the answer."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from scenarios.live.answering import CONFIG, questions_of
from scenarios.live.asking_graphs import PLACES
from streamgraph.errors import NotSupportedError, RunCancelledError, UnknownInterruptError
from streamgraph.runs import RunHandle
from streamgraph.testing import check_stream
from streamgraph.types import Command, Heartbeat
from support.waiting import eventually

V2: Dict[str, Any] = {"version": "v2", "stream_mode": ["updates", "values"]}

starters = pytest.mark.parametrize("starter", ["start", "astart"])


def with_run(starter: str, graph: Any, given: Any, use: Callable[[RunHandle[Any]], Any], **options: Any) -> Any:
    """Start a run, and use it in a thread, while the loop of the test goes on."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        options_ = {"interrupts": "live", "record": ["updates", "values", "tasks"], **options}
        start = graph.start if starter == "start" else graph.astart
        run = start(given, CONFIG, **options_)
        if starter == "astart":
            run = await run
        with ThreadPoolExecutor(1) as pool:
            return await loop.run_in_executor(pool, use, run)

    return asyncio.run(main())


def asks(run: RunHandle[Any], number: int = 1) -> None:
    """Wait until a run has asked so many questions."""
    eventually(lambda: len(run.questions) == number)


@starters
@pytest.mark.parametrize("name", sorted(PLACES))
def test_it_is_answered_from_anywhere(starter: str, name: str) -> None:
    """Who reads need not be who answers; each question is in the log once, for an early and for a late reader."""
    place = PLACES[name]

    def use(run: RunHandle[Any]) -> None:
        early: List[Any] = []
        for part in run.stream(**V2):
            early.append(part)
            for question in questions_of(part):
                thread = threading.Thread(target=run.answer, args=(question.id, f"<{question.value}>"))
                thread.start()
                thread.join()
        assert place.read(run.result()) == place.wanted
        assert (run.status, run.questions) == ("done", [])
        late = list(run.stream(**V2))
        for parts in (early, late):
            assert sorted(question.value for part in parts for question in questions_of(part)) == place.asked
            check_stream(parts)

    with_run(starter, place.build(lambda: None, None), place.given, use)


@starters
def test_a_reader_may_come_while_it_is_paused(starter: str) -> None:
    """It gets the open questions, as does the handle, which says that the run is paused."""
    place = PLACES["nested"]

    def use(run: RunHandle[Any]) -> None:
        asks(run, 2)
        assert run.status == "paused"
        assert sorted((question.value, question.node) for question in run.questions) == [("a", "a"), ("b", "b")]
        found: Dict[str, str] = {}
        with run.stream(**V2) as reader:
            while len(found) < 2:
                found.update({question.value: question.id for question in questions_of(next(reader))})
        asyncio.run(run.aanswer(found["b"], "<b>"))
        assert [question.value for question in run.questions] == ["a"]
        assert run.status == "paused"
        run.answer(found["a"], "<a>")
        assert place.read(run.result()) == place.wanted

    with_run(starter, place.build(lambda: None, None), place.given, use)


@starters
@pytest.mark.parametrize("name", ["nodes", "async nodes", "plain nodes", "tools", "async nested", "workflow"])
def test_it_is_cancelled_while_it_is_paused(starter: str, name: str) -> None:
    """That ends the waiting, and the readers get to the end."""
    place = PLACES[name]
    number = len(PLACES[name].asked) - 1 if name != "async nested" else 2

    def use(run: RunHandle[Any]) -> None:
        asks(run, number)
        (question, *_) = next(asked for asked in map(questions_of, run.stream(**V2)) if asked)
        run.cancel()
        run.join()
        assert (run.status, run.questions) == ("cancelled", [])
        assert any(questions_of(part) for part in run.stream(**V2))
        with pytest.raises(UnknownInterruptError, match="over"):
            run.answer(question.id, "late")
        with pytest.raises(RunCancelledError):
            run.result()

    if name == "tools":
        number = 3
    with_run(starter, place.build(lambda: None, None), place.given, use)


@starters
def test_the_last_reader_leaves_while_it_is_paused(starter: str) -> None:
    """If that ends the run, it ends the waiting as well."""
    place = PLACES["nodes"]

    def use(run: RunHandle[Any]) -> None:
        with run.stream(**V2) as reader:
            asks(run, 2)
            next(reader)
        run.join()
        assert run.status == "cancelled"

    with_run(starter, place.build(lambda: None, None), place.given, use, on_disconnect="cancel")


@starters
def test_wrong_answers_say_so(starter: str) -> None:
    """An unknown id, a second answer, and an answer after the end change nothing."""
    place = PLACES["called"]

    def use(run: RunHandle[Any]) -> None:
        asks(run)
        (question,) = run.questions
        with pytest.raises(UnknownInterruptError, match="did you mean") as caught:
            run.answer(question.id[:-1], "?")
        assert caught.value.pending_ids == (question.id,)
        run.answer(question.id, "<a>")
        with pytest.raises(UnknownInterruptError, match="answered already"):
            run.answer(question.id, "again")
        assert place.read(run.result()) == place.wanted
        with pytest.raises(UnknownInterruptError, match="answered already"):
            run.answer(question.id, "again")

    with_run(starter, place.build(lambda: None, None), place.given, use)


@starters
def test_readers_get_heartbeats_meanwhile(starter: str) -> None:
    """They name the task that waits."""
    place = PLACES["called"]

    def use(run: RunHandle[Any]) -> None:
        asks(run)
        with run.stream("updates", heartbeat=0.01) as reader:
            heartbeat = next(part for part in reader if isinstance(part, Heartbeat))
        assert [task.node for task in heartbeat.running] == ["outer"]
        run.answer(run.questions[0].id, "<a>")
        assert place.read(run.result()) == place.wanted

    with_run(starter, place.build(lambda: None, None), place.given, use)


@starters
def test_a_saved_run_is_answered_after_it_was_cancelled(starter: str) -> None:
    """The question is stored while it waits, and so is what was answered beside it."""
    place, tops = PLACES["nodes"], []  # type: ignore[var-annotated]
    graph = place.build(lambda: tops.append(1), InMemorySaver())

    def use(run: RunHandle[Any]) -> None:
        asks(run, 2)
        ids = {question.value: question.id for question in run.questions}
        run.answer(ids["b"], "<b>")
        eventually(lambda: graph.get_state(CONFIG).next == ("a",))  # what `b` has returned is stored
        assert [one.value for one in graph.get_state(CONFIG).interrupts] == ["a1"]
        run.cancel()
        run.join()

    with_run(starter, graph, place.given, use)
    (question,) = graph.get_state(CONFIG).interrupts
    output = graph.invoke(Command(resume={question.id: "<a1>"}), CONFIG)
    output = graph.invoke(Command(resume={output["__interrupt__"][0].id: "<a2>"}), CONFIG)
    assert place.read(output) == place.wanted
    assert len(tops) == 4  # `b` has not run again, `a` for each of its answers


@starters
def test_it_ends_with_a_question(starter: str) -> None:
    """A run that is not live has an output, the questions, and nothing that waits for answers."""
    place = PLACES["nodes"]

    def use(run: RunHandle[Any]) -> None:
        output = run.result()
        assert run.status == "interrupted"
        assert sorted(question.value for question in output["__interrupt__"]) == ["a1", "b"]
        assert sorted((question.value, question.node) for question in run.questions) == [("a1", "a"), ("b", "b")]
        with pytest.raises(NotSupportedError, match="live"):
            run.answer(run.questions[0].id, "?")

    with_run(starter, place.build(lambda: None, None), place.given, use, interrupts="pause")
    with_run(starter, place.build(lambda: None, None), place.given, use, interrupts=None)
