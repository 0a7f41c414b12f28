"""Questions, answers and breakpoints, as LangGraph shows them."""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict, List

import pytest

from differential.saved.graphs import Library, Nodes, chain
from differential.saved.transcripts import Program, Thread, both, comparable


def one(lib: Library) -> Any:
    builder = lib.builder("z").add_node("ask", lambda state: {"seen": [lib.types.interrupt({"q": 1})]})
    return builder.add_edge("__start__", "ask").add_edge("ask", "z")


def two_in_turn(lib: Library) -> Any:
    def ask(state: Any) -> Any:
        return {"seen": [lib.types.interrupt("first"), lib.types.interrupt("second")]}

    return lib.builder("z").add_node("ask", ask).add_edge("__start__", "ask").add_edge("ask", "z")


def inside(lib: Library) -> Any:
    builder = lib.builder("a", "z").add_node("sub", one(lib).compile()).add_edge("__start__", "a").add_edge("a", "sub")
    return builder.add_edge("sub", "z")


def deep(lib: Library) -> Any:
    return lib.builder("z").add_node("top", inside(lib).compile()).add_edge("__start__", "top").add_edge("top", "z")


def in_a_branch(lib: Library) -> Any:
    builder = lib.builder("a", "z").add_edge("__start__", "a")
    return builder.add_conditional_edges("a", lambda state: lib.types.interrupt("where?"), ["z", "__end__"])


def in_a_task(lib: Library) -> Callable[[Any], Any]:
    func = importlib.import_module(lib.types.__name__.replace(".types", ".func"))

    def make(saver: Any) -> Any:
        @func.task
        def once(number: int) -> int:
            return number + 1

        @func.task
        def ask(number: int) -> Any:
            return lib.types.interrupt(f"task {number}")

        @func.entrypoint(checkpointer=saver)
        def workflow(number: int) -> Any:
            known = once(number).result()
            return [known, ask(known).result(), lib.types.interrupt("end")]

        return workflow

    return make


def answers(*given: Any) -> Callable[[Thread], None]:
    def play(thread: Thread) -> None:
        first: Any = 1 if "workflow" in repr(thread.graph) or thread.graph.get_name() == "workflow" else None
        thread.run({"seen": ["i"]} if first is None else first, modes=["updates", "tasks"], durability="sync")
        thread.state()
        for answer in given:
            resumed = answer if answer is None else thread.types.Command(resume=answer)
            thread.run(resumed, modes=["updates", "tasks"], durability="sync")
            thread.state()
        thread.state(subgraphs=True)

    return play


def changed_with_the_answer(thread: Thread) -> None:
    thread.run({"seen": ["i"]}, durability="sync")
    thread.run(thread.types.Command(resume="r", update={"seen": ["u"]}), durability="sync")
    thread.state()


SECOND = "a task that asks a second question is still due"

PROGRAMS: List[Program] = [
    Program("one", one, answers("A"), {}),
    Program("falsy answers", two_in_turn, answers(0, False), {}, since=SECOND),
    Program("two in turn", two_in_turn, answers("A", "B"), {}, since=SECOND),
    Program("asked again", one, answers(None, None, "A"), {}),
    Program("in a nested graph", inside, answers("A"), {}),
    Program("three levels down", deep, answers("A"), {}),
    Program("in a branch", in_a_branch, answers("z"), {}),
    Program("changed with the answer", one, changed_with_the_answer, {}, since="questions in values"),
]


@pytest.mark.parametrize("program", comparable(PROGRAMS), ids=lambda program: program.name)
def test_the_same_is_seen(program: Program) -> None:
    theirs, ours = both(Nodes, program)
    assert ours == theirs


def test_in_a_workflow() -> None:
    def play(thread: Thread) -> None:
        for given in (1, thread.types.Command(resume="A"), thread.types.Command(resume="B")):
            thread.run(given, modes=["updates"], durability="sync")
            state = thread.graph.get_state(thread.config)
            thread.seen.append((list(state.next), [question.value for question in state.interrupts]))

    theirs, ours = both(Nodes, Program("workflow", in_a_task, play, {}))
    assert ours == theirs


POINTS: List[Dict[str, Any]] = [
    {"interrupt_before": ["b"]},
    {"interrupt_after": ["a"]},
    {"interrupt_before": "*"},
    {"interrupt_after": "*"},
    {"interrupt_before": ["a"], "interrupt_after": ["b"]},
    {"interrupt_after": ["c"]},
]


def step_through(thread: Thread) -> None:
    thread.run({"seen": ["i"]}, durability="sync")
    for _ in range(4):
        state = thread.graph.get_state(thread.config)
        thread.seen.append((list(state.next), list(state.interrupts)))
        if state.next:
            thread.run(None, durability="sync")
    thread.run({"seen": ["again"]}, durability="sync")
    thread.state()


@pytest.mark.parametrize("points", POINTS, ids=repr)
def test_breakpoints(points: Dict[str, Any]) -> None:
    theirs, ours = both(Nodes, Program("breakpoints", chain, step_through, points))
    assert ours == theirs


def test_breakpoints_of_one_call() -> None:
    def play(thread: Thread) -> None:
        thread.run({"seen": ["i"]}, interrupt_before=["c"], durability="sync")
        thread.call("update_state", {"seen": ["changed"]}, as_node="a")
        thread.state()
        thread.run(None, durability="sync")

    theirs, ours = both(Nodes, Program("one call", chain, play, {}))
    assert ours == theirs
