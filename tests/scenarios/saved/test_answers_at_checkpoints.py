"""Answers that name a checkpoint: the last one of a thread, or an earlier one, where they make a fork."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Command, StateGraph
from streamgraph.errors import UnknownInterruptError
from streamgraph.types import interrupt

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class State(TypedDict, total=False):
    """A list that every node adds to."""

    x: Annotated[List[Any], operator.add]


class Program:
    """A node that asks twice and one that asks once, beside one that does not, then a last one."""

    def __init__(self, asynchronous: bool = False) -> None:
        self.ran: List[str] = []
        self.asynchronous = asynchronous
        builder = StateGraph(State).add_node("last", lambda state: {"x": ["last"]})
        for name, questions in (("once", 1), ("twice", 2), ("never", 0)):
            builder.add_node(name, self._node(name, questions)).add_edge(START, name)
        self.graph: Any = builder.add_edge(["once", "twice", "never"], "last").compile(checkpointer=InMemorySaver())

    def _node(self, name: str, questions: int) -> Any:
        def node(state: Any) -> Any:
            self.ran.append(name)
            return {"x": [name, *(interrupt(f"{name} {number}") for number in range(questions))]}

        return node

    def run(self, given: Any, config: Any = CONFIG) -> Any:
        self.ran.clear()
        return asyncio.run(self.graph.ainvoke(given, config)) if self.asynchronous else self.graph.invoke(given, config)

    def answer(self, config: Any = CONFIG, **answers: Any) -> Any:
        """Answer open questions by their texts, with underscores in place of blanks."""
        ids = {question.value: question.id for question in self.graph.get_state(CONFIG).interrupts}
        resume = {ids[text.replace("_", " ")]: answer for text, answer in answers.items()}
        return self.run(Command(resume=resume), config), resume

    def last(self) -> Any:
        return self.graph.get_state(CONFIG).config


@pytest.mark.parametrize("asynchronous", [False, True])
def test_at_the_last_checkpoint(asynchronous: bool) -> None:
    """It is the same as without its id: what has finished does not run again, and there is no fork."""
    program = Program(asynchronous)
    program.run({"x": []})
    with pytest.raises(UnknownInterruptError, match="Unknown or already-consumed"):
        program.run(Command(resume={"0" * 32: "?"}), program.last())
    program.answer(program.last(), twice_0="A")
    assert program.ran == ["twice"]
    program.answer(program.last(), once_0="B")
    assert program.ran == ["once"]
    output, _ = program.answer(program.last(), twice_1="C")
    assert sorted(output["x"]) == ["A", "B", "C", "last", "never", "once", "twice"]
    assert all(item.metadata["source"] != "fork" for item in program.graph.get_state_history(CONFIG))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_at_an_earlier_checkpoint(asynchronous: bool) -> None:
    """The questions are answered anew on a fork; what others had finished is kept, and stored for the fork."""
    program = Program(asynchronous)
    program.run({"x": []})
    paused = program.last()
    _, first = program.answer(twice_0="A", once_0="B")
    _, second = program.answer(twice_1="C")
    program.run(Command(resume={**first, **second, next(iter(first)): "AA"}), paused)
    assert sorted(program.ran) == ["once", "twice"]
    assert sorted(program.graph.get_state(CONFIG).values["x"]) == ["AA", "B", "C", "last", "never", "once", "twice"]
    program.run(Command(resume=second), paused)
    assert sorted(program.graph.get_state(CONFIG).values["x"]) == ["A", "B", "C", "last", "never", "once", "twice"]
    assert program.ran == ["twice"]


def test_the_fork_asks_on() -> None:
    """What was kept is kept for its next run as well."""
    program = Program()
    program.run({"x": []})
    paused = program.last()
    _, first = program.answer(twice_0="A", once_0="B")
    program.answer(twice_1="C")
    twice = next(iter(first))
    assert [one.value for one in program.run(Command(resume={twice: "AA"}), paused)["__interrupt__"]] == ["twice 1"]
    assert program.ran == ["twice"]
    assert sorted(program.run(Command(resume="CC"))["x"]) == ["AA", "B", "CC", "last", "never", "once", "twice"]
    assert program.ran == ["twice"]


def test_refused_answers() -> None:
    program = Program()
    program.run({"x": []})
    paused = program.last()
    program.answer(twice_0="A", once_0="B")
    program.answer(twice_1="C")
    before = program.graph.get_state(CONFIG)
    for resume in ("which?", {"0" * 32: "?"}):
        with pytest.raises(UnknownInterruptError) as caught:
            program.run(Command(resume=resume), paused)
        assert len(caught.value.pending_ids) == 2
    assert program.graph.get_state(CONFIG) == before
    assert program.ran == []


def test_one_question_needs_no_id() -> None:
    """The answer is one to the question that was asked there, and an update comes with it."""
    builder = StateGraph(State).add_node("asks", lambda state: {"x": [interrupt("sure?")]}).add_edge(START, "asks")
    graph = builder.compile(checkpointer=InMemorySaver())
    graph.invoke({"x": []}, CONFIG)
    paused = graph.get_state(CONFIG).config
    assert graph.invoke(Command(resume="R1"), CONFIG) == {"x": ["R1"]}
    assert graph.invoke(Command(resume="R3", update={"x": ["u"]}), paused) == {"x": ["u", "R3"]}
    assert graph.get_state(CONFIG).values == {"x": ["u", "R3"]}
    assert graph.get_state(paused).values == {"x": []}


def test_a_branch_of_the_start() -> None:
    """It asks twice, and has each answer when it asks again."""

    def where(state: Any) -> str:
        return str(interrupt("where?") + interrupt("really?"))

    builder = StateGraph(State).add_node("a", lambda state: {"x": ["a"]}).add_node("ab", lambda state: {"x": ["b"]})
    graph = builder.add_conditional_edges(START, where, ["a", "ab"]).compile(checkpointer=InMemorySaver())
    graph.invoke({"x": []}, CONFIG)
    paused = graph.get_state(CONFIG).config
    assert graph.invoke(Command(resume="a"), CONFIG)["__interrupt__"][0].value == "really?"
    assert graph.invoke(Command(resume=""), CONFIG) == {"x": ["a"]}
    (question,) = graph.get_state(paused).tasks[0].interrupts
    assert question.value == "really?"
    assert graph.invoke(Command(resume={question.id: "b"}), paused) == {"x": ["b"]}


def test_a_question_of_a_nested_graph() -> None:
    """It can be answered once more, and is asked again where the run is continued from there."""
    inner = StateGraph(State).add_node("asks", lambda state: {"x": [interrupt("sure?")]}).add_edge(START, "asks")
    graph = StateGraph(State).add_node("inner", inner.compile()).add_edge(START, "inner")
    compiled = graph.compile(checkpointer=InMemorySaver())
    (question,) = compiled.invoke({"x": []}, CONFIG)["__interrupt__"]
    paused = compiled.get_state(CONFIG).config
    compiled.invoke(Command(resume="R1"), CONFIG)
    assert compiled.invoke(Command(resume={question.id: "R2"}), paused) == {"x": ["R2"]}
    assert compiled.invoke(None, paused)["__interrupt__"][0].value == "sure?"
    assert compiled.invoke(Command(resume="R3"), CONFIG) == {"x": ["R3"]}


def test_a_change_at_an_earlier_checkpoint() -> None:
    """A command without an answer makes a fork, too, and leaves the checkpoint as it was."""
    program = Program()
    program.run({"x": []})
    paused = program.last()
    program.answer(twice_0="A", once_0="B")
    program.answer(twice_1="C")
    before = program.graph.get_state(paused)
    program.run(Command(update={"x": ["u"]}), paused)
    assert program.graph.get_state(paused) == before
    assert program.graph.get_state(CONFIG).values["x"] == ["u", "never"]
