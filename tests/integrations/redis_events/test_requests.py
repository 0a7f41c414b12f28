"""Cancelling and answering a run from another process than the one that drives it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Dict, List

import pytest
from typing_extensions import TypedDict

from integrations.redis_events.conftest import Make
from streamgraph.config import get_stream_writer
from streamgraph.errors import NotSupportedError, UnknownInterruptError
from streamgraph.graph import START, StateGraph
from streamgraph.types import interrupt
from support.waiting import PATIENCE, eventually, run


class Asked(TypedDict, total=False):
    answers: List[Any]


def asking(*questions: Dict[str, Any]) -> Any:
    """A graph whose node asks questions."""

    def node(state: Asked) -> Asked:
        return {"answers": [interrupt(question["value"], **question.get("options", {})) for question in questions]}

    return StateGraph(Asked).add_node("node", node).add_edge(START, "node").compile()


def test_cancelled_from_elsewhere_in_a_thread(make: Make) -> None:
    """A sync node ends at its next writer call."""
    begun = threading.Event()

    def node(state: Asked) -> None:
        begun.set()
        while True:
            get_stream_writer()("x")
            threading.Event().wait(0.01)

    graph = StateGraph(Asked).add_node("node", node).add_edge(START, "node").compile()
    started = graph.start({}, log=make().open())
    assert begun.wait(PATIENCE)
    attached = graph.attach(make().log(started.id))
    attached.cancel()
    assert started.join(PATIENCE)
    assert started.status == "cancelled"
    assert attached.join(PATIENCE)
    assert attached.status == "cancelled"
    attached.cancel()


def test_cancelled_from_elsewhere_on_a_loop(make: Make) -> None:
    async def main() -> None:
        ends = asyncio.Event()

        async def node(state: Asked) -> None:
            try:
                await asyncio.sleep(PATIENCE)
            except asyncio.CancelledError:
                ends.set()
                raise

        graph = StateGraph(Asked).add_node("node", node).add_edge(START, "node").compile()
        started = await graph.astart({}, log=await make().aopen())
        attached = graph.attach(await make().alog(started.id))
        attached.cancel()
        await started.ajoin()
        await attached.ajoin()
        assert ends.is_set()
        assert started.status == attached.status == "cancelled"

    run(main())


def test_a_cancel_before_is_not_for_a_later_attempt(make: Make) -> None:
    events = make()
    graph = asking({"value": "?"})
    started = graph.start({}, log=events.open(), interrupts="live")
    attached = graph.attach(make().log(started.id))
    eventually(lambda: attached.questions)
    attached.cancel()
    started.join(PATIENCE)
    again = graph.start({}, log=events.open(started.id), interrupts="live")
    attached = graph.attach(make().log(started.id))
    eventually(lambda: attached.questions)
    assert again.status == "paused"
    again.cancel()


def test_answered_from_elsewhere(make: Make) -> None:
    """The question is in the stream, and who asks what is known; an answer that does not fit is refused there."""
    graph = asking({"value": "How many?", "options": {"response_schema": int}}, {"value": {"which": ["a", "b"]}})
    started = graph.start({}, log=make().open(), interrupts="live")
    attached = graph.attach(make().log(started.id))
    eventually(lambda: attached.questions)
    (first,) = attached.questions
    assert (first.value, first.node) == ("How many?", "node")
    with pytest.raises(Exception, match="valid integer"):
        attached.answer(first.id, "many")
    with pytest.raises(UnknownInterruptError, match="did you mean"):
        attached.answer(first.id[:-1] + "?", 1)
    attached.answer(first.id, 3)
    with pytest.raises(UnknownInterruptError, match="has been answered already"):
        attached.answer(first.id, 4)
    eventually(lambda: attached.questions)

    async def answer() -> None:
        (second,) = attached.questions
        await attached.aanswer(second.id, "b")

    asyncio.run(answer())
    assert attached.result(PATIENCE) == started.result() == {"answers": [3, "b"]}
    assert attached.questions == []


def test_a_run_that_ends_with_its_question(make: Make) -> None:
    graph = asking({"value": "How many?"})
    started = graph.start({}, log=make().open())
    attached = graph.attach(make().log(started.id))
    attached.join(PATIENCE)
    assert attached.status == "interrupted"
    assert [question.value for question in attached.questions] == ["How many?"]
    assert attached.result()["__interrupt__"] == started.result()["__interrupt__"]
    (question,) = attached.questions
    with pytest.raises(NotSupportedError, match="ends with its questions"):
        attached.answer(question.id, 3)
