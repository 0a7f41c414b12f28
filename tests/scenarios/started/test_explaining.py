"""A started run says why nothing comes, as a stream does: while it runs, and however it has ended."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any, Callable, Dict, List

import pytest

from streamgraph import START, StateGraph
from streamgraph.graph import CompiledStateGraph
from streamgraph.runs import RunHandle
from streamgraph.testing import ScriptedModel
from streamgraph.types import Paused, Unstreamed, interrupt
from support.leaks import nothing_left as nothing_left
from support.non_streaming_models import Streams
from support.structured import State
from support.waiting import eventually

GIVEN: Any = {"asked": "q"}
PATIENCE = 10  # seconds until a wait that should end at once counts as failed

starters = pytest.mark.parametrize("starter", ["start", "astart"])

Graph = CompiledStateGraph[Any, Any, Any, Any]


def with_run(starter: str, graph: Graph, use: Callable[[RunHandle[Any]], Any], **options: Any) -> Any:
    """Start a run, and use it in a thread, while the loop of the test goes on."""

    async def main() -> Any:
        run = graph.start(GIVEN, **options) if starter == "start" else await graph.astart(GIVEN, **options)
        return await asyncio.to_thread(use, run)

    return asyncio.run(main())


def asking(then: Callable[[], object] = lambda: None) -> Graph:
    """A graph that calls models that may not stream, in a nested graph as well, and does something afterwards."""
    quiet, loud = Streams(disable_streaming=True, name="quiet"), ScriptedModel(["hello"], cycle=True)

    def inside(state: State) -> Any:
        quiet.invoke("inside")
        return {}

    def talk(state: State) -> Any:
        loud.invoke("heard")
        quiet.invoke("talk")
        then()
        return {}

    nested = StateGraph(State).add_node("inside", inside).add_edge(START, "inside").compile()
    builder = StateGraph(State).add_node("nested", nested).add_node("talk", talk)
    return builder.add_edge(START, "nested").add_edge("nested", "talk").compile()


def without_ids(items: List[Any]) -> List[Any]:
    """What is said of calls, without the ids of their traces."""
    assert all(item.run_id for item in items)
    return [replace(item, run_id=None) for item in items]


@starters
@pytest.mark.parametrize("options", [{}, {"record": "messages"}, {"record": ["messages", "values"]}], ids=str)
def test_the_same_as_the_stream_says(starter: str, options: Dict[str, Any]) -> None:
    """Of every call, in the graph and in nested ones; before the end and after it."""
    stream = asking().stream(GIVEN, stream_mode="messages", subgraphs=True)
    list(stream)
    wanted = without_ids(stream.explain())
    assert [(item.model, item.node, bool(item.namespace)) for item in wanted] == [
        ("quiet", "inside", True),
        ("quiet", "talk", False),
    ]
    reached, gate = threading.Event(), threading.Event()

    def then() -> None:
        reached.set()
        assert gate.wait(PATIENCE)

    def use(run: RunHandle[Any]) -> None:
        assert reached.wait(PATIENCE)
        before = run.explain()
        gate.set()
        run.join()
        after = run.explain()
        assert before == after
        assert [replace(item, namespace=()) for item in without_ids(after)] == [
            replace(item, namespace=()) for item in wanted
        ]
        assert [bool(item.namespace) for item in after if isinstance(item, Unstreamed)] == [True, False]
        assert all(str(item).startswith("quiet in node") for item in after)

    with_run(starter, asking(then), use, **options)


def fail() -> None:
    raise ValueError("broken")


def ask() -> None:
    interrupt("sure?")


ENDS: Dict[str, Callable[[], object]] = {"failed": fail, "done": lambda: None, "interrupted": ask}


@starters
@pytest.mark.parametrize("status", sorted(ENDS))
def test_however_it_ends(starter: str, status: str) -> None:
    """Also a run that has failed; one that has ended with a question says which, first."""

    def use(run: RunHandle[Any]) -> None:
        run.join()
        assert run.status == status
        said = run.explain()
        questions = [item for item in said if isinstance(item, Paused)]
        assert said[: len(questions)] == questions == run.questions
        assert [item.value for item in questions] == (["sure?"] if status == "interrupted" else [])
        assert [item.node for item in said if isinstance(item, Unstreamed)] == ["inside", "talk"]

    with_run(starter, asking(ENDS[status]), use)


@starters
def test_a_run_that_is_cancelled(starter: str) -> None:
    """It keeps what it has said until then."""
    reached, gate = threading.Event(), threading.Event()

    def then() -> None:
        reached.set()
        gate.wait(PATIENCE)

    def use(run: RunHandle[Any]) -> None:
        assert reached.wait(PATIENCE)
        said = run.explain()
        run.cancel()
        gate.set()
        run.join()
        assert run.status == "cancelled"
        assert run.explain() == said != []

    with_run(starter, asking(then), use)


@starters
def test_open_questions_of_a_live_run(starter: str) -> None:
    """They are there while they wait, before the calls; an answered one is not."""

    def use(run: RunHandle[Any]) -> None:
        eventually(lambda: run.questions)
        question, *calls = run.explain()
        assert isinstance(question, Paused)
        assert question == run.questions[0]
        assert "sure?" in str(question)
        run.answer(question.id, "yes")
        run.join()
        assert run.status == "done"
        assert set(calls) <= set(run.explain())
        assert not any(isinstance(item, Paused) for item in run.explain())

    with_run(starter, asking(ask), use, interrupts="live")


@starters
def test_a_run_that_does_not_record_messages(starter: str) -> None:
    """It names the option of `start` that would have helped, not that of a stream."""

    def use(run: RunHandle[Any]) -> None:
        run.join()
        (item,) = run.explain()
        assert isinstance(item, Unstreamed)
        assert (item.reason, item.model) == ("mode", None)
        assert str(item) == (
            "Model calls were not streamed: the run does not record `messages`. "
            'Start it with record="messages", or a list of modes with it.'
        )

    with_run(starter, asking(), use, record="values")
