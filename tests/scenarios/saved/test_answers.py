"""Answers that are refused, answers that are given twice, and commands that are not lost."""

from __future__ import annotations

import asyncio
import operator
import threading
from typing import Any, Dict, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Command, StateGraph
from streamgraph.errors import EmptyInputError, InvalidUpdateError, ThreadBusyError, UnknownInterruptError
from streamgraph.func import entrypoint
from streamgraph.types import Send, interrupt
from support.waiting import PATIENCE

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class State(TypedDict, total=False):
    """A list that every node adds to."""

    x: Annotated[List[Any], operator.add]


def asks(question: str) -> Any:
    return lambda state: {"x": [interrupt(question)]}


def graph_of(*questions: str, **nodes: Any) -> Any:
    """A graph whose nodes all run in the first step, then one more."""
    builder = StateGraph(State).add_node("last", lambda state: {"x": ["last"]})
    for name, node in {**{question: asks(question) for question in questions}, **nodes}.items():
        builder.add_node(name, node).add_edge(START, name)
    builder.add_edge([*questions, *nodes], "last")
    return builder.compile(checkpointer=InMemorySaver())


def ids_of(graph: Any) -> Dict[Any, str]:
    return {question.value: question.id for question in graph.get_state(CONFIG).interrupts}


REFUSED: List[Any] = [
    Command(resume={"0" * 32: "yes"}),
    Command(resume={}),
    Command(resume=None),
    Command(),
    Command(update={}),
    Command(resume="which of the two?"),
    Command(resume="yes", update={"x": ["u"]}, goto="nowhere"),
    Command(resume="yes", update=5),
]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("command", REFUSED, ids=repr)
def test_a_refused_answer_changes_nothing(command: Command, asynchronous: bool) -> None:
    """Nothing runs, nothing is stored, and the error names the questions that are open."""
    ran: List[str] = []
    graph = graph_of("a", "b", other=lambda state: ran.append("other"))
    graph.invoke({"x": []}, CONFIG)
    before, ids = graph.get_state(CONFIG), ids_of(graph)
    with pytest.raises(Exception) as caught:  # noqa: PT011  (the kinds are told apart below)
        asyncio.run(graph.ainvoke(command, CONFIG)) if asynchronous else graph.invoke(command, CONFIG)
    if command.goto or command.update == 5:
        assert isinstance(caught.value, InvalidUpdateError)
    else:
        assert all(id_ in str(caught.value) for id_ in ids.values())
        assert isinstance(caught.value, (EmptyInputError, UnknownInterruptError, RuntimeError))
    assert graph.get_state(CONFIG) == before
    assert ran == ["other"]


def test_some_ids_are_unknown() -> None:
    """The answers of the others are not given either."""
    graph = graph_of("a", "b")
    graph.invoke({"x": []}, CONFIG)
    ids = ids_of(graph)
    with pytest.raises(UnknownInterruptError) as caught:
        graph.invoke(Command(resume={ids["a"]: "A", "f" * 32: "F"}), CONFIG)
    assert caught.value.interrupt_ids == ("f" * 32,)
    assert set(caught.value.pending_ids) == set(ids.values())
    assert ids_of(graph) == ids


@pytest.mark.parametrize("answer", [None, 0, False, "", [], {}])
def test_empty_answers(answer: Any) -> None:
    """By its id a question can be answered with anything."""
    graph = graph_of("a")
    graph.invoke({"x": []}, CONFIG)
    assert graph.invoke(Command(resume={ids_of(graph)["a"]: answer}), CONFIG) == {"x": [answer, "last"]}


def test_an_answer_that_nobody_waits_for() -> None:
    graph = graph_of("a")
    with pytest.raises(UnknownInterruptError, match="thread is empty"):
        graph.invoke(Command(resume="early"), CONFIG)
    (question,) = graph.invoke({"x": []}, CONFIG)["__interrupt__"]
    graph.invoke(Command(resume="A"), CONFIG)
    for late in ("late", {question.id: "late"}):
        with pytest.raises(UnknownInterruptError, match="No question is waiting"):
            graph.invoke(Command(resume=late), CONFIG)
    assert graph.get_state(CONFIG).values == {"x": ["A", "last"]}


def test_two_answers_at_once() -> None:
    """What follows an answer is done once, and the second caller is told, during the run and after it."""
    answered, go_on, done = threading.Event(), threading.Event(), []

    def pays(state: Any) -> Any:
        answer = interrupt("pay?")
        answered.set()
        assert go_on.wait(PATIENCE)
        done.append(answer)
        return {"x": [answer]}

    graph = graph_of(pays=pays)
    (question,) = graph.invoke({"x": []}, CONFIG)["__interrupt__"]
    outputs: List[Any] = []
    first = threading.Thread(target=lambda: outputs.append(graph.invoke(Command(resume={question.id: "one"}), CONFIG)))
    first.start()
    assert answered.wait(PATIENCE)
    with pytest.raises(ThreadBusyError):
        graph.invoke(Command(resume={question.id: "two"}), CONFIG)
    waiting: List[Any] = []

    def enqueued() -> None:
        try:
            graph.invoke(Command(resume={question.id: "three"}), CONFIG, multitask_strategy="enqueue")
        except UnknownInterruptError as error:
            waiting.append(error)

    third = threading.Thread(target=enqueued)
    third.start()
    go_on.set()
    first.join(PATIENCE)
    third.join(PATIENCE)
    assert (outputs, done) == ([{"x": ["one", "last"]}], ["one"])
    assert len(waiting) == 1


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_an_update_beside_an_answer_is_kept(durability: str) -> None:
    """It is stored although the step goes on with another question, or with a failure."""
    fails = [True]

    def two(state: Any) -> Any:
        answers = [interrupt("first"), interrupt("second")]
        if fails.pop():
            fails.append(False)
            raise ValueError("broken")
        return {"x": answers}

    graph = graph_of(two=two)

    def run(given: Any) -> Any:
        return graph.invoke(given, CONFIG, durability=durability)

    run({"x": ["i"]})
    run(Command(resume="1", update={"x": ["u1"]}))
    assert graph.get_state(CONFIG).values == {"x": ["i", "u1"]}
    with pytest.raises(ValueError, match="broken"):
        run(Command(resume="2", update={"x": ["u2"]}))
    assert graph.get_state(CONFIG).values == {"x": ["i", "u1", "u2"]}
    assert run(None) == {"x": ["i", "u1", "u2", "1", "2", "last"]}


def test_a_node_beside_an_answer_is_kept() -> None:
    """Where a command goes to is stored, and what ran there does not run again."""
    ran: List[Any] = []

    def two(state: Any) -> Any:
        return {"x": [interrupt("first"), interrupt("second")]}

    builder = StateGraph(State).add_node(two).add_edge(START, "two")
    graph = builder.add_node("side", lambda state: ran.append(dict(state))).compile(checkpointer=InMemorySaver())
    graph.invoke({"x": ["i"]}, CONFIG)
    graph.invoke(Command(resume="1", goto=["side", Send("side", {"x": ["sent"]})]), CONFIG)
    assert sorted(task.name for task in graph.get_state(CONFIG).tasks) == ["side", "side", "two"]
    assert graph.invoke(Command(resume="2"), CONFIG) == {"x": ["i", "1", "2"]}
    assert ran in ([{"x": ["i"]}, {"x": ["sent"]}], [{"x": ["sent"]}, {"x": ["i"]}])


def test_an_answer_after_which_the_node_has_failed() -> None:
    """The node goes on with the answer it had, or with another one that is given in its place."""
    attempts: List[Any] = []

    def node(state: Any) -> Any:
        answer = interrupt("how many?")
        attempts.append(answer)
        return {"x": [int(answer)]}

    for last, wanted in ((None, "many"), (Command(resume="3"), "3")):
        graph = graph_of(node=node)
        graph.invoke({"x": []}, CONFIG)
        with pytest.raises(ValueError, match="many"):
            graph.invoke(Command(resume="many"), CONFIG)
        attempts.clear()
        if wanted == "3":
            assert graph.invoke(last, CONFIG) == {"x": [3, "last"]}
        else:
            with pytest.raises(ValueError, match="many"):
                graph.invoke(last, CONFIG)
        assert attempts == [wanted]


def test_a_workflow_has_no_state_to_update() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    def flow(given: int) -> Any:
        return [given, interrupt("sure?")]

    flow.invoke(1, CONFIG)
    with pytest.raises(InvalidUpdateError, match="a workflow has neither a state nor nodes"):
        flow.invoke(Command(resume="yes", update={"x": 1}), CONFIG)
    assert flow.invoke(Command(resume="yes"), CONFIG) == [1, "yes"]


class Paying:
    """A graph that pays once it is answered, and what its callers get."""

    def __init__(self) -> None:
        self.paid: List[Any] = []
        self.outputs: List[Any] = []
        self.refused: List[Any] = []
        builder = StateGraph(State).add_node("pays", self._pays).add_edge(START, "pays")
        self.graph: Any = builder.compile(checkpointer=InMemorySaver())
        (question,) = self.graph.invoke({"x": []}, CONFIG)["__interrupt__"]
        self.answer = Command(resume={question.id: "yes"})

    def _pays(self, state: Any) -> Any:
        answer = interrupt("pay?")
        self.paid.append(answer)
        return {"x": [answer]}

    def check(self) -> None:
        assert self.paid == ["yes"]
        assert self.outputs == [{"x": ["yes"]}]
        assert len(self.refused) == CALLERS - 1
        assert self.graph.get_state(CONFIG).values == {"x": ["yes"]}


CALLERS = 20
TOLD = (ThreadBusyError, UnknownInterruptError)
STRATEGIES = pytest.mark.parametrize("strategy", ["reject", "enqueue"])


@STRATEGIES
def test_twenty_answers_at_once(strategy: str) -> None:
    """One pays; the others are told, at once or when it is their turn."""
    program, together = Paying(), threading.Barrier(CALLERS)

    def call() -> None:
        together.wait(PATIENCE)
        try:
            program.outputs.append(program.graph.invoke(program.answer, CONFIG, multitask_strategy=strategy))
        except TOLD as error:
            program.refused.append(error)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(PATIENCE)
    program.check()


@STRATEGIES
def test_twenty_answers_at_once_on_one_loop(strategy: str) -> None:
    program = Paying()

    async def main() -> None:
        calls = [program.graph.ainvoke(program.answer, CONFIG, multitask_strategy=strategy) for _ in range(CALLERS)]
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            (program.refused if isinstance(outcome, TOLD) else program.outputs).append(outcome)

    asyncio.run(main())
    program.check()
