"""Questions that LangGraph has stored are answered by a live run of ours, and what that leaves open by LangGraph."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List, Sequence, Tuple

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from differential.saved.graphs import Library, Nodes
from differential.saved.test_asked_by_the_other import CONFIG, PROGRAMS, SHOWS_ONE, called, inside, remembered
from differential.saved.transcripts import OLD
from support.waiting import eventually, threads

LIVE: Any = {"interrupts": "live", "stream_mode": "updates", "subgraphs": True, "durability": "sync"}
GIVEN: Any = {"seen": ["i"]}


def awaited(lib: Library) -> Any:
    """Two nodes that ask twice; ours are async and await the answers."""
    builder = lib.builder("z")
    ask = getattr(lib.types, "ainterrupt", None)
    for name in ("a", "b"):

        def node(state: Any, name: str = name) -> Any:
            return {"seen": [lib.types.interrupt(f"{name}?"), lib.types.interrupt(f"{name}??")]}

        async def anode(state: Any, name: str = name) -> Any:
            assert ask is not None
            return {"seen": [await ask(f"{name}?"), await ask(f"{name}??")]}

        builder.add_node(name, node if ask is None else anode).add_edge("__start__", name)
    return builder.add_edge(["a", "b"], "z").compile


INSIDE = (inside, called, remembered)
"""What is answered inside of a graph in a node while its run is left may be asked again, but is not lost."""

ALL: List[Any] = [*PROGRAMS, awaited]

programs = pytest.mark.parametrize("program", ALL, ids=lambda program: program.__name__)
asynchronously = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def answer(question: Any) -> str:
    return f"<{question.value}>"


def read_live(graph: Any, given: Any, asynchronous: bool, most: int = 1000) -> Tuple[Dict[str, Any], List[Any], Any]:
    """Answer what a live run asks when it is shown, but no more than `most` questions; then leave it.

    Returns:
        The questions that it has shown by their ids, their values in the order in which they were answered, and the
        output of a run that has ended.
    """
    asked: Dict[str, Any] = {}
    answered: List[Any] = []

    def reply(stream: Any, namespace: Any, update: Any) -> bool:
        for question in () if namespace else update.get("__interrupt__", ()):
            asked[question.id] = question.value
            if len(answered) == most:
                return False
            stream.answer(question.id, answer(question))
            answered.append(question.value)
        return True

    if not asynchronous:
        with graph.stream(given, CONFIG, **LIVE) as stream:
            for chunk in stream:
                if not reply(stream, *chunk):
                    return asked, answered, None
        return asked, answered, stream.output

    async def main() -> Any:
        async with graph.astream(given, CONFIG, **LIVE) as stream:
            async for chunk in stream:
                if not reply(stream, *chunk):
                    return asked, answered, None
        return asked, answered, stream.output

    found: Tuple[Dict[str, Any], List[Any], Any] = asyncio.run(main())
    return found


def their_turn(graph: Any, given: Any) -> Tuple[Any, List[Any]]:
    """Run LangGraph once; return the output and the questions."""
    output = graph.invoke(given, CONFIG, durability="sync")
    return output, sorted(output.pop("__interrupt__", ()), key=lambda question: question.value)


def alone(program: Any) -> Tuple[List[Any], Any]:
    """What LangGraph alone asks, sorted, and where it ends, if every question is answered."""
    lib = Nodes().theirs()
    graph = program(lib)(checkpointer=InMemorySaver())
    given, asked = GIVEN, []
    for _ in range(20):
        output, questions = their_turn(graph, given)
        if not questions and not graph.get_state(CONFIG).next:
            return sorted(asked), output
        asked += [question.value for question in questions]
        given = lib.types.Command(resume={one.id: answer(one) for one in questions}) if questions else None
    raise AssertionError(f"it asks for ever: {asked}")


def live_to_the_end(graph: Any, given: Any, asynchronous: bool) -> Tuple[Dict[str, Any], List[Any], Any]:
    """Answer live until the thread is at its end: a breakpoint ends a live run as well."""
    asked: Dict[str, Any] = {}
    answered: List[Any] = []
    for _ in range(20):
        more, values, output = read_live(graph, given, asynchronous)
        asked.update(more)
        answered += values
        if not graph.get_state(CONFIG).next:
            return asked, answered, output
        given = None
    raise AssertionError(f"it does not end: {answered}")


def same(output: Any, wanted: Any, asked: Sequence[Any], wanted_asked: Sequence[Any], program: Any) -> None:
    """The same has come out, and each question was asked once for each time that LangGraph alone asks it."""
    assert output == wanted
    if program not in SHOWS_ONE:
        assert sorted(asked) == wanted_asked


@programs
@asynchronously
@pytest.mark.parametrize("turns", [1, 2])
def test_what_they_have_asked_is_answered_live(program: Any, asynchronous: bool, turns: int) -> None:
    """The live run asks it again under the same id, goes on where it is answered, and ends as LangGraph would."""
    wanted_asked, wanted = alone(program)
    nodes, saver = Nodes(), InMemorySaver()
    theirs, ours = (program(lib)(checkpointer=saver) for lib in (nodes.theirs(), nodes.ours()))
    given, before = GIVEN, []
    for turn in range(turns):
        _, questions = their_turn(theirs, given)
        if turn < turns - 1:
            before += [question.value for question in questions[:1]]
            resume = {question.id: answer(question) for question in questions[:1]}
            given = nodes.theirs().types.Command(resume=resume) if resume else None
    stored = {question.id for question in questions}
    asked, answered, output = live_to_the_end(ours, None, asynchronous)
    same(output, wanted, [*before, *answered], wanted_asked, program)
    if not OLD:  # before 1.2 a task has one id for all its questions
        assert stored <= asked.keys()
    end = theirs.get_state(CONFIG)
    assert (end.next, end.tasks) == ((), ())


@programs
@asynchronously
@pytest.mark.parametrize("together", [False, True], ids=["one", "all"])
def test_a_live_run_begins_with_answers(program: Any, asynchronous: bool, together: bool) -> None:
    """`Command(resume={id: answer})` answers what is stored; what is not answered, or asked then, is asked live."""
    wanted_asked, wanted = alone(program)
    nodes, saver = Nodes(), InMemorySaver()
    theirs, ours = (program(lib)(checkpointer=saver) for lib in (nodes.theirs(), nodes.ours()))
    _, questions = their_turn(theirs, GIVEN)
    now = questions if together else questions[:1]
    given = nodes.ours().types.Command(resume={one.id: answer(one) for one in now}) if now else None
    _, answered, output = live_to_the_end(ours, given, asynchronous)
    same(output, wanted, [*(question.value for question in now), *answered], wanted_asked, program)
    assert theirs.get_state(CONFIG).next == ()


@programs
@asynchronously
@pytest.mark.parametrize("most", [1, 2])
def test_what_a_live_run_leaves_open_is_answered_by_them(program: Any, asynchronous: bool, most: int) -> None:
    """It has answered some of what LangGraph has asked, and was left: LangGraph asks the rest, and nothing twice."""
    wanted_asked, wanted = alone(program)
    nodes, saver = Nodes(), InMemorySaver()
    theirs, ours = (program(lib)(checkpointer=saver) for lib in (nodes.theirs(), nodes.ours()))
    their_turn(theirs, GIVEN)
    before = threads()
    _, answered, output = read_live(ours, None, asynchronous, most)
    eventually(lambda: threads() <= before)  # leaving does not wait for graphs in threads, which still store answers
    command = nodes.theirs().types.Command
    # `get_state` does not show the questions of error handlers, and before 1.0 no second question of a task.
    shown: List[Any] = []
    if output is None:
        output, shown = their_turn(theirs, None)
    for _ in range(20):
        if not shown and not theirs.get_state(CONFIG).next:
            break
        answered += [question.value for question in shown]
        given = command(resume={one.id: answer(one) for one in shown}) if shown else None
        output, shown = their_turn(theirs, given)
    assert output == wanted
    if program in INSIDE:
        assert set(answered) == set(wanted_asked)
    else:
        same(output, wanted, answered, wanted_asked, program)
