"""Going back on a thread, as LangGraph does it: replays, forks and answers at every earlier state, inside as well."""

from __future__ import annotations

from typing import Any, Callable, List

import pytest

from differential.saved.graphs import Library, Nodes
from differential.saved.transcripts import Program, Thread, both, comparable

CONFIG = {"configurable": {"thread_id": "1"}}


def asking(lib: Library, name: str) -> Callable[[Any], Any]:
    return lambda state: {"seen": [f"{name}:{lib.types.interrupt(name)}"]}


def flat(lib: Library) -> Any:
    """A node that asks between two others."""
    builder = lib.builder("a", "z").add_node("ask", asking(lib, "q"))
    return builder.add_edge("__start__", "a").add_edge("a", "ask").add_edge("ask", "z")


def twice(lib: Library) -> Any:
    """A node that asks twice."""

    def ask(state: Any) -> Any:
        return {"seen": [lib.types.interrupt("first"), lib.types.interrupt("second")]}

    return lib.builder("a").add_node("ask", ask).add_edge("__start__", "a").add_edge("a", "ask")


def remembering(lib: Library) -> Any:
    """A graph inside that keeps its state, and asks."""
    inner = lib.builder("in").add_node("ask", asking(lib, "q"))
    child = inner.add_edge("__start__", "in").add_edge("in", "ask").compile(checkpointer=True)
    builder = lib.builder("a", "z").add_node("child", child)
    return builder.add_edge("__start__", "a").add_edge("a", "child").add_edge("child", "z")


def looping(lib: Library) -> Any:
    """A graph inside that keeps its state, and runs twice in a run."""
    child = lib.builder("in").add_edge("__start__", "in").compile(checkpointer=True)

    def count(state: Any) -> Any:
        return {"number": state.get("number", 0) + 1}

    builder = lib.builder().add_node("count", count).add_node("child", child)
    builder.add_edge("__start__", "count").add_edge("count", "child")
    return builder.add_conditional_edges("child", lambda state: "count" if state["number"] % 2 else "__end__")


def through(thread: Thread) -> None:
    """Run to the end, with answers where there are questions."""
    thread.run({"seen": ["i"]}, durability="sync")
    while thread.graph.get_state(thread.config).interrupts:
        thread.run(thread.types.Command(resume="yes"), durability="sync")


def back(act: Callable[[Thread], None]) -> Callable[[Thread], None]:
    """Go back to every state of a finished thread, do something there, and look at the end of the thread."""

    def play(thread: Thread) -> None:
        through(thread)
        for snapshot in thread.history():
            thread.config = snapshot.config
            act(thread)
            thread.config = CONFIG
            thread.state()
        thread.history()

    return play


def replay(thread: Thread) -> None:
    thread.run(None, durability="sync")


def replay_and_answer(thread: Thread) -> None:
    thread.run(None, durability="sync")
    thread.config = CONFIG
    if thread.graph.get_state(CONFIG).interrupts:
        thread.run(thread.types.Command(resume="no"), durability="sync")


def fork(thread: Thread) -> None:
    thread.config = thread.graph.update_state(thread.config, {"seen": ["f"]})
    thread.run(None, durability="sync")
    thread.run(None, durability="sync")  # an update that is the head is continued in its place


def fork_and_answer(thread: Thread) -> None:
    fork(thread)
    if thread.graph.get_state(thread.config).interrupts:
        thread.run(thread.types.Command(resume="no"), durability="sync")


def begin_anew(thread: Thread) -> None:
    thread.run({"seen": ["new"]}, durability="sync")


def at_the_head(thread: Thread) -> None:
    """Answer with the config of the state that asks."""
    thread.run({"seen": ["i"]}, durability="sync")
    thread.config = thread.graph.get_state(CONFIG).config
    thread.run(thread.types.Command(resume="yes"), durability="sync")
    thread.config = CONFIG
    thread.history()


def inside(thread: Thread) -> None:
    """Go back to the state of the graph inside, by its config, and answer what it asks."""
    thread.run({"seen": ["i"]}, durability="sync")
    asked = thread.graph.get_state(CONFIG, subgraphs=True).tasks[0].state.config
    thread.run(thread.types.Command(resume="yes"), durability="sync")
    thread.config = asked
    thread.run(None, durability="sync")
    thread.config = CONFIG
    thread.run(thread.types.Command(resume="no"), durability="sync")
    thread.config = thread.graph.update_state(asked, {"seen": ["f"]})
    thread.run(None, durability="sync")
    thread.run(thread.types.Command(resume="again"), durability="sync")
    # Beside these, LangGraph notes the places that the config named with each state.
    for ns in ("", "child"):
        config = {"configurable": {"thread_id": "1", "checkpoint_ns": ns}}
        thread.seen.append([(state.values, list(state.next)) for state in thread.graph.get_state_history(config)])


SINCE = "going back gets it right only in LangGraph 1.2"

PROGRAMS: List[Program] = [
    *(
        Program(f"{act.__name__} {build.__name__}", build, back(act), {}, since=SINCE)
        for build in (flat, twice, remembering, looping)
        for act in (replay, replay_and_answer, fork, fork_and_answer)
    ),
    # Deliberately different inside: a graph that keeps its state begins where it was then; LangGraph's, where it is.
    Program("new input flat", flat, back(begin_anew), {}, since=SINCE),
    Program("new input twice", twice, back(begin_anew), {}, since=SINCE),
    Program("answer at the head", flat, at_the_head, {}, since=SINCE),
    Program("answer at the head, inside", remembering, at_the_head, {}, since=SINCE),
    Program("inside", remembering, inside, {}, since=SINCE),
]


@pytest.mark.parametrize("program", comparable(PROGRAMS), ids=lambda program: program.name)
def test_the_same_is_seen(program: Program) -> None:
    theirs, ours = both(Nodes, program)
    assert ours == _where_it_is_stored(theirs)


def _where_it_is_stored(seen: Any) -> Any:
    """Return what was seen with the namespaces in which graphs that keep their state are stored.

    LangGraph names a namespace of the task, and leaves out the task when it reads there; ours names the place itself.
    """
    if isinstance(seen, dict):
        return {key: _where_it_is_stored(value) for key, value in seen.items()}
    if isinstance(seen, (list, tuple)):
        return type(seen)(_where_it_is_stored(value) for value in seen)
    return "child" if seen == "child:ID" else seen
