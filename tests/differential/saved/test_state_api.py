"""Reading and changing threads, as LangGraph does it: states, histories, updates, forks, checkpoints in streams."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import pytest

from differential.saved.graphs import Library, Nodes, failing_inside, nested
from differential.saved.transcripts import Program, Thread, both, comparable, plain


def routed(lib: Library) -> Any:
    """`good` and `late` beside each other, unless an update asks for `b`."""
    builder = lib.builder("a", "b", "good", "late").add_node("z", lambda state: {"number": len(state["seen"])})
    builder.add_edge("__start__", "a")
    builder.add_conditional_edges(
        "a", lambda state: "b" if "u" in state["seen"] else ["late", "good"], ["b", "late", "good"]
    )
    return builder.add_edge(["late", "good"], "z").add_edge("b", "z")


def returns(lib: Library) -> Any:
    """Nodes that return nothing, several commands, and what is sent to them."""
    command, send = lib.types.Command, lib.types.Send
    builder = lib.builder("a").add_node("none", lambda state: None).add_node("sent", lambda state: {"seen": ["s"]})
    builder.add_node("several", lambda state: [command(update={"seen": [1]}), command(update={"seen": [2]})])
    builder.add_edge("__start__", "a")
    return builder.add_conditional_edges(
        "a", lambda state: [send("sent", {}), "none", "several"], ["sent", "none", "several"]
    )


def look(thread: Thread) -> None:
    thread.state()
    thread.run({"seen": ["i"]}, durability="sync")
    thread.state()
    thread.history()
    thread.run({"seen": ["again"]}, durability="sync")
    thread.state()
    thread.seen.append(len(list(thread.graph.get_state_history(thread.config, limit=2))))
    found = list(thread.graph.get_state_history(thread.config, filter={"source": "input"}))
    thread.seen.append([plain(dict(snapshot.metadata)) for snapshot in found])


def look_inside(thread: Thread) -> None:
    thread.run({"seen": ["i"]}, durability="sync")
    thread.state()
    snapshot = thread.state(subgraphs=True)
    for task in snapshot.tasks:
        if task.state is not None:
            inner = thread.graph.get_state(task.state.config)
            thread.seen.append((plain(inner.values), list(inner.next)))


def show_checkpoints(thread: Thread) -> None:
    thread.run({"seen": ["i"]}, modes=["checkpoints", "values"], durability="sync")
    thread.run(None, modes=["checkpoints", "updates"], durability="sync")
    thread.run({"seen": ["i"]}, modes=["debug"], durability="sync")


def replay(thread: Thread) -> None:
    thread.run({"seen": ["i"]}, durability="sync")
    for snapshot in thread.history():
        thread.config = snapshot.config
        thread.run(None, durability="sync")
    thread.config = {"configurable": {"thread_id": "1"}}
    thread.history()


def input_at_an_old_state(thread: Thread) -> None:
    thread.run({"seen": ["i"]}, durability="sync")
    thread.config = thread.history()[-2].config
    thread.run({"seen": ["new"]}, durability="sync")
    thread.config = {"configurable": {"thread_id": "1"}}
    thread.history()


def updated(**given: Any) -> Callable[[Thread], None]:
    def play(thread: Thread) -> None:
        if not given.get("empty", False):
            thread.run({"seen": ["i"]}, durability="sync")
        thread.call("update_state", given.get("values"), **{key: given[key] for key in ("as_node",) if key in given})
        thread.history()
        thread.run(None, durability="sync")

    return play


UPDATES: Dict[str, Dict[str, Any]] = {
    "by the last node": {"values": {"seen": ["u"]}},
    "by an earlier node": {"values": {"seen": ["u"]}, "as_node": "a"},
    "by the end": {"as_node": "__end__"},
    "by nobody": {},
    "by a copy": {"as_node": "__copy__"},
    "by an unknown node": {"values": {"seen": [1]}, "as_node": "nope"},
    "by the end with values": {"values": {"seen": [1]}, "as_node": "__end__"},
    "of an empty thread": {"values": {"seen": ["u"]}, "empty": True},
    "of an empty thread by a node": {"values": {"seen": ["u"]}, "as_node": "a", "empty": True},
    "of an empty thread by the start": {"values": {"seen": ["u"]}, "as_node": "__start__", "empty": True},
}

PROGRAMS: List[Program] = [
    Program("states", returns, look, {}),
    Program("states of nested graphs", failing_inside, look_inside, {}),
    Program("nested", nested, look, {}),
    Program("checkpoints in streams", routed, show_checkpoints, {}),
    Program("checkpoints of nested graphs", nested, show_checkpoints, {}),
    Program("replay", routed, replay, {}, since="a replay is a record of its own"),
    Program("input at an old state", routed, input_at_an_old_state, {}),
    *(Program(f"update {name}", routed, updated(**given), {}) for name, given in UPDATES.items()),
]


@pytest.mark.parametrize("program", comparable(PROGRAMS), ids=lambda program: program.name)
def test_the_same_is_seen(program: Program) -> None:
    def make() -> Nodes:
        nodes = Nodes("late" if program.build is failing_inside else "")
        nodes.broken = True
        return nodes

    theirs, ours = both(make, program)
    assert ours == theirs


def bulk(thread: Thread) -> None:
    update = thread.types.StateUpdate
    steps = [
        [update({"seen": ["i"]}, "__start__")],
        [update({"seen": ["A"]}, "a")],
        [update({"seen": ["L"]}, "late"), update({"seen": ["G"]}, "good")],
        [update({"seen": [number]}, "z" if number % 2 else "b") for number in range(6)],
    ]
    thread.call("bulk_update_state", steps)
    thread.history()
    for wrong in ([], [[]], [[update({"seen": []}), update({"seen": []})]]):
        thread.call("bulk_update_state", wrong)


def test_updates_of_several_steps() -> None:
    theirs, ours = both(Nodes, Program("bulk", routed, bulk, {}))
    assert ours == theirs


def test_an_update_keeps_what_siblings_have_finished() -> None:
    """Deliberately different: LangGraph 1.2 drops the result of the finished sibling, and with it the join."""
    nodes = Nodes("late")
    nodes.broken = True

    def play(thread: Thread) -> None:
        thread.config["max_concurrency"] = 1
        with pytest.raises(ValueError, match="late is broken"):
            thread.graph.invoke({"seen": ["i"]}, thread.config, durability="sync")
        thread.graph.update_state(thread.config, {"seen": ["repaired"]}, as_node="late")
        thread.state()
        thread.run(None)

    _, ours = both(lambda: nodes, Program("repair", routed, play, {}))
    assert (ours[0]["values"], ours[0]["next"]) == ({"seen": ["i", "a", "good", "repaired"]}, ["z"])
    assert ours[1][-1] == ["values", {"seen": ["i", "a", "good", "repaired"], "number": 4}]
