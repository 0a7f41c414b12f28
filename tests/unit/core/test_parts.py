"""The parts of a stream."""

from __future__ import annotations

import pytest

from streamgraph._core.ids import task_id
from streamgraph._core.parts import PartBuilder, root_or_mapping
from streamgraph._core.plan import ROOT_KEY, Channel, Node
from streamgraph._core.results import TaskResult
from streamgraph._core.state import State
from streamgraph._core.task import PUSH, Task
from streamgraph._streams.subscribers import unfiltered
from unit.core.plans import SEED, channels, node, plan

GRAPH = plan(["a"], node("a"), keys=channels("p"))


def made(*modes, **fields):
    """Something that makes parts of these modes."""
    return PartBuilder(("n:1",), unfiltered(frozenset(modes)), clock=lambda: "now", **fields)


def shown(parts):
    """The mode and data of what is emitted."""
    assert {part.ns for part in parts} <= {("n:1",)}
    return [(part.mode, part.data) for part in parts]


def task(given=None, step=1, **fields):
    """A task of the node `a`."""
    return Task("id", node("a", **fields), step, given, ("branch:to:a",), -1)


def state(**values):
    """A state with these values."""
    holder = State(GRAPH)
    holder.store(values)
    return holder


def test_nothing_is_made_for_nobody():
    """Without modes there are no parts."""
    parts = made()
    outcome = TaskResult((("p", 1),))
    assert parts.values(state(p=1), {"p": 1}) == parts.started(task()) == parts.finished(task(), outcome) == []
    assert parts.failed(task(), ValueError(), outcome) == []


@pytest.mark.parametrize(
    ("keys", "fresh", "parts"),
    [
        (None, {"p": 1}, [("values", {"x": [1], "p": 1})]),
        (None, {}, []),
        (("p",), {"p": 1}, [("values", {"p": 1})]),
        (("p", "x"), {"x": [1]}, [("values", {"p": 1, "x": [1]})]),
        (("p",), {"x": [1]}, []),
        ("p", {"p": 1}, [("values", 1)]),
        ("p", {"x": [1]}, []),
    ],
)
def test_values(keys, fresh, parts):
    """The state after a step, if one of the keys asked for was written in it."""
    assert shown(made("values", keys=keys).values(state(x=[1], p=1), fresh)) == parts


def test_values_are_apart():
    """Changing the data of a part changes nothing in the state, whatever keys were asked for."""
    holder = state(x=[1])
    for keys in (None, ("x",), "x"):
        (part,) = made("values", keys=keys).values(holder, {"x": holder.values["x"]})
        (part.data if keys == "x" else part.data["x"]).append(2)
    assert holder.snapshot() == {"x": [1]}


@pytest.mark.parametrize(
    ("keys", "update"),
    [
        (None, [{"x": [1]}, {"p": 2}, {"x": [3]}]),
        (("p",), {"p": 2}),
        ("x", [[1], [3]]),  # as in LangGraph: two writes of a node are not shown as one
        ("p", 2),
        (("q",), None),
        ("q", None),
    ],
)
def test_updates(keys, update):
    """What a node wrote, of the keys asked for."""
    outcome = TaskResult((("x", [1]), ("p", 2), ("x", [3])))
    assert shown(made("updates", keys=keys).finished(task(), outcome)) == [("updates", {"a": update})]


def test_update_of_nothing():
    """A node that writes nothing is shown with `None`."""
    assert shown(made("updates").finished(task(), TaskResult(()))) == [("updates", {"a": None})]


def test_update_before_result():
    """A task's update comes before its result, and `tasks` before `debug`."""
    parts = made("updates", "tasks", "debug").finished(task(), TaskResult((("p", 1),)))
    assert [part.mode for part in parts] == ["updates", "tasks", "debug"]


RESULT = {"id": "id", "name": "a", "error": None, "result": {"p": 1}, "interrupts": []}


def test_result():
    """The end of a task has its id, name and writes."""
    assert shown(made("tasks").finished(task(), TaskResult((("p", 1),)))) == [("tasks", RESULT)]


def test_debug():
    """The same with step, time and kind around it."""
    wrapped = {"step": 1, "timestamp": "now", "type": "task_result", "payload": RESULT}
    assert shown(made("debug").finished(task(), TaskResult((("p", 1),)))) == [("debug", wrapped)]
    (part,) = made("debug").started(task({"p": 1}))
    assert (part.data["type"], part.data["payload"]["input"]) == ("task", {"p": 1})


def test_start():
    """The start of a task has its input and triggers, and metadata only if there is any."""
    payload = {"id": "id", "name": "a", "input": {"p": 1}, "triggers": ("branch:to:a",)}
    assert shown(made("tasks").started(task({"p": 1}))) == [("tasks", payload)]
    given = made("tasks", metadata={"run": 1, "who": "run"}, tags=["tag"]).started(
        task({"p": 1}, metadata={"who": "node"})
    )
    payload["metadata"] = {"run": 1, "who": "node", "tags": ["tag"]}
    assert shown(given) == [("tasks", payload)]


def test_failure():
    """A failed task is shown with its error; if a branch failed after the node, with the node's update as well."""
    error = ValueError("no")
    parts = made("updates", "tasks")
    assert shown(parts.failed(task(), error, None)) == [("tasks", {**RESULT, "error": error, "result": {}})]
    assert shown(parts.failed(task(), error, TaskResult((("p", 1),)))) == [
        ("updates", {"a": {"p": 1}}),
        ("tasks", {**RESULT, "error": error}),
    ]


def test_start_branches_are_not_shown():
    """The hidden task of the start's branches has no parts."""
    parts = made("updates", "tasks", "debug")
    hidden = Task("id", Node("__start__"), 0, None, ("__start__",), -1)
    assert parts.finished(hidden, TaskResult(())) == parts.failed(hidden, ValueError(), TaskResult(())) == []


def test_parts_are_apart():
    """Tasks, debug, the task's input and the writes share no containers."""
    outcome, one = TaskResult((("x", [1]),)), task({"x": [1]})
    maker = made("updates", "tasks", "debug", metadata={"deep": [1]}, tags=["tag"])

    def spoil(value):
        for item in list(value.values()) if isinstance(value, dict) else list(value):
            if isinstance(item, (dict, list)):
                spoil(item)
        value.clear()

    for make in (lambda: maker.started(one), lambda: maker.finished(one, outcome)):
        for index in range(len(make())):
            before = [repr(data) for _, data in shown(make())]
            parts = make()
            spoil(parts[index].data)
            told = [repr(data) for _, data in shown(parts)]
            assert told[:index] + told[index + 1 :] == before[:index] + before[index + 1 :]
            assert [repr(data) for _, data in shown(make())] == before
    assert (outcome.writes, one.input) == ((("x", [1]),), {"x": [1]})


def test_root_state():
    """A state of one value is shown as that value, or `None` before there is one."""
    holder = State(plan([], keys={ROOT_KEY: Channel(ROOT_KEY)}))
    assert root_or_mapping(holder) is None
    holder.store({ROOT_KEY: [5]})
    root_or_mapping(holder).append(6)
    assert root_or_mapping(holder) == [5]
    assert shown(made("values").values(holder, {ROOT_KEY: [5]})) == [("values", [5])]


def test_tasks():
    """A task knows where it stands: its path, its place among the writes, its part of namespaces."""
    pulled = Task("id", node("a"), 2, None, ("branch:to:a",), -1)
    pushed = Task("id", node("a"), 2, None, (PUSH,), 3)
    assert (pulled.path, pushed.path) == (("__pregel_pull", "a"), ("__pregel_push", 3, False))
    assert pulled.order < pushed.order < Task("id", node("a"), 2, None, (PUSH,), 10).order
    assert pulled.ns_suffix == ("a:id",)
    assert task_id(SEED, 1, "a", -1) != task_id(SEED, 1, "a", 0)
