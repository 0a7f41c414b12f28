"""One run: what is started, shown and ended, in which order."""

from __future__ import annotations

import pytest

from streamgraph._core.control import RunControl
from streamgraph._core.effects import Finish
from streamgraph._core.events import TaskDone
from streamgraph._core.parts import PartBuilder
from streamgraph._core.plan import RESULT_KEY, ROOT_KEY, Channel, Join, Node, Plan, StateView
from streamgraph._core.results import TaskResult
from streamgraph._core.run import Run
from streamgraph._streams.subscribers import unfiltered
from streamgraph.errors import GraphDrained, GraphRecursionError, InvalidUpdateError, ParentCommand, location_of
from streamgraph.types import Command, Overwrite, Send
from unit.core.plans import SEED, Driver, branch, by, channels, first, last, node, plan, taken_up


def line(*names):
    """Nodes in a line."""
    return plan(names[:1], *(node(name, *names[index + 1 : index + 2]) for index, name in enumerate(names)))


def told(driver):
    """The log in short."""
    return [(entry.kind, entry.data) for entry in driver.log]


def test_line():
    """Each step: start, end, update, values; the input's values first; then the output."""
    driver = Driver(line("a", "b")).play([("x", ["in"])])
    assert told(driver) == [
        ("values", {"x": ["in"]}),
        ("start", "a"),
        ("end", "a"),
        ("updates", {"a": {"x": ["a"]}}),
        ("values", {"x": ["in", "a"]}),
        ("start", "b"),
        ("end", "b"),
        ("updates", {"b": {"x": ["b"]}}),
        ("values", {"x": ["in", "a", "b"]}),
    ]
    assert driver.output == {"x": ["in", "a", "b"]}


@pytest.mark.parametrize("choose", [first, last, by([1, 1, 0])])
def test_writes_count_by_name(choose):
    """Writes of one step are folded by node name and then by `Send`, whoever ends first."""
    graph = plan(
        ["c", "a", "sender"],
        node("c"),
        node("a", "b"),
        node("sender", action=lambda seen: [Send("w", 2), Send("w", 1), Send("a", 0)]),
        node("b"),
        node("w", action=lambda seen: {"x": [f"w{seen}"]}),
    )
    driver = Driver(graph, choose).play()
    assert driver.output == {"x": ["a", "c", "b", "w2", "w1", "a", "b"]}
    assert driver.starts() == {1: ["a", "c", "sender"], 2: ["a", "b", "w", "w"], 3: ["b"]}


def test_sends_are_started_first():
    """Tasks are started as LangGraph lists them: sends in order, then nodes by name."""
    graph = plan(
        ["s"],
        node("s", "z", "b", action=lambda seen: [Send("w", 2), Send("w", 1)]),
        node("z"),
        node("b"),
        node("w", action=lambda seen: {"x": [f"w{seen}"]}),
    )
    driver = Driver(graph).play()
    assert driver.of("start") == ["s", "w", "w", "b", "z"]
    assert driver.of("updates")[1:3] == [{"w": {"x": ["w2"]}}, {"w": {"x": ["w1"]}}]


def test_alone():
    """A task knows whether another one may run beside it, also where the limit lets only one run at a time."""
    graph = plan(["a"], node("a", "b", "c"), node("b"), node("c"))
    driver = Driver(graph, concurrency=1)
    seen = []
    open_step, feed = driver.run.open_step, driver.run.feed

    def watch(commands):
        seen.extend(command.alone for command in commands if hasattr(command, "alone"))
        return commands

    driver.run.open_step = lambda: watch(open_step())
    driver.run.feed = lambda event: watch(feed(event))
    driver.play()
    assert seen == [True, False, False]


def test_no_values_without_writes():
    """A step that writes nothing shows no values."""
    driver = Driver(plan(["a"], node("a", action=lambda seen: None))).play()
    assert told(driver) == [("start", "a"), ("end", "a"), ("updates", {"a": None})]
    assert driver.output is None


def test_command_goto_beside_edges():
    """A `goto` is taken in addition to the node's edges, once where both lead to one node."""
    graph = plan(
        ["a"], node("a", "b", action=lambda seen: Command(update={"x": ["a"]}, goto=["b", "c"])), node("b"), node("c")
    )
    assert Driver(graph).play().starts() == {1: ["a"], 2: ["b", "c"]}


def test_start_branches():
    """A branch at the start sees the input and runs in a hidden step of its own."""
    choose = branch("choose", lambda seen: seen["x"][0])
    graph = plan([], node("a"), node("b"), branches=(choose,))
    driver = Driver(graph).play([("x", ["b"])])
    assert driver.starts() == {0: ["__start__"], 1: ["b"]}
    assert driver.of("values") == [{"x": ["b"]}, {"x": ["b", "b"]}]
    assert driver.of("updates") == [{"b": {"x": ["b"]}}]


def test_branches_see_what_their_node_wrote():
    """A branch sees the node's own writes, not those of others in its step."""
    seen_by_branch = []
    choose = branch("choose", lambda seen: seen_by_branch.append(seen["x"]) or "c")
    graph = plan(["a", "b"], node("a", branches=(choose,)), node("b"), node("c"))
    for order in (first, last):
        assert Driver(graph, order).play().starts()[2] == ["c"]
    assert seen_by_branch == [["a"], ["a"]]


def test_nothing_to_do():
    """A start that leads to the end finishes with the input as output."""
    graph = plan([], node("a"), branches=(branch("choose", lambda seen: "__end__"),))
    assert Driver(graph).play([("x", [1])]).output == {"x": [1]}


@pytest.mark.parametrize("length", [1, 2, 5])
def test_recursion_limit(length):
    """A run that ends exactly at the limit succeeds; one step more is an error, after all chunks of the others."""
    names = [f"n{index}" for index in range(length)]
    whole = Driver(line(*names), limit=length).play()
    assert whole.output == {"x": names}
    if length > 1:
        cut = Driver(line(*names), limit=length - 1).play()
        assert isinstance(cut.error, GraphRecursionError)
        assert isinstance(cut.error, RecursionError)
        assert all(text in str(cut.error) for text in (f"limit of {length - 1} ", repr(names[-1]), "recursion_limit"))
        assert told(cut) == told(whole)[: len(told(cut))]
        assert cut.of("values")[-1] == {"x": names[:-1]}


def test_recursion_limit_names_what_is_left():
    """The error names nodes and targets of sends, five of them at the most."""
    targets = [node(f"t{index}") for index in range(7)]
    sender = node("s", *(item.name for item in targets[:5]), action=lambda seen: [Send("t6", 1), Send("t5", 1)])
    error = Driver(plan(["s"], sender, *targets), limit=1).play().error
    assert "'t0', 't1', 't2', 't3', 't4'" in str(error)
    assert error.step == 1


def test_managed_values_see_step_and_limit():
    """Nodes read values computed for their step."""
    reader = StateView(managed={"left": lambda step, limit: limit - step})
    graph = plan(
        ["a"],
        *(
            Node(name, lambda seen: {"x": [seen["left"]]}, reader, edges=edges)
            for name, edges in (("a", ("b",)), ("b", ()))
        ),
    )
    assert Driver(graph, limit=9).play().output == {"x": [8, 7]}


def failing(name, error):
    """A node that raises."""

    def action(seen):
        raise error

    return node(name, action=action)


def test_first_error_counts():
    """The first failure cancels the others and waits for them; what they end with does not count."""
    error = ValueError("first")
    graph = plan(["a", "b", "c", "d"], node("a"), failing("b", error), failing("c", KeyError("second")), node("d", "a"))
    driver = Driver(graph, by([0, 0, 1, 0]), modes=("values", "updates", "tasks")).play([("x", ["in"])])
    assert driver.error is error
    log = told(driver)
    after = log[log.index(("end", "b")) :]
    assert [kind for kind, _ in after] == ["end", "tasks", "cancel", "end", "end"]
    assert after[1][1]["error"] is error
    assert after[2] == ("cancel", ["c", "d"])
    assert [data for kind, data in after if kind == "end"] == ["b", "d", "c"]
    assert driver.of("values") == [{"x": ["in"]}]
    location = location_of(error)
    assert (location.node, location.step, location.namespace) == ("b", 1, ())
    assert error.__notes__ == ["While running node 'b' in step 1."]


def test_waiting_tasks_are_never_started_after_a_failure():
    """With a limit on concurrency, tasks that wait when another fails are dropped."""
    error = ValueError("no")
    graph = plan(["a", "b", "c", "d"], failing("a", error), node("b"), node("c"), node("d"))
    driver = Driver(graph, concurrency=2).play()
    assert driver.of("start") == ["a", "b"]
    assert driver.of("end") == ["a", "b"]
    assert driver.error is error


def test_failing_branch():
    """If a branch fails, its node's update is shown before the error."""
    graph = plan(["a"], node("a", branches=(branch("choose", lambda seen: "b"),)), node("c"))
    driver = Driver(graph).play()
    assert driver.of("updates") == [{"a": {"x": ["a"]}}]
    assert driver.error.name == "b"


def test_failing_reducer():
    """If the writes of a step do not go together, its updates have been shown and its values are not."""
    graph = plan(["a"], node("a", action=lambda seen: {"x": 5}))
    driver = Driver(graph).play([("x", ["in"])])
    assert driver.of("updates") == [{"a": {"x": 5}}]
    assert driver.of("values") == [{"x": ["in"]}]
    assert isinstance(driver.error, TypeError)


def test_failing_input():
    """An input that does not go into the state fails before anything is started."""
    driver = Driver(plan(["a"], node("a"))).play([("x", 5)])
    assert isinstance(driver.error, TypeError)
    assert driver.log == []


def test_two_writers():
    """Two nodes that write one plain key in one step are named, whoever ends first."""
    graph = plan(["a", "b"], *(node(name, action=lambda seen: {"p": 1}) for name in "ab"), keys=channels("p"))
    errors = [Driver(graph, order).play().error for order in (first, last)]
    assert str(errors[0]) == str(errors[1])
    assert isinstance(errors[0], InvalidUpdateError)
    assert all(text in str(errors[0]) for text in ("'a'", "'b'", "'p'"))


def test_overwrite_in_a_step():
    """An overwrite wins over what others write to the key in its step."""
    graph = plan(
        ["a", "b", "c"], node("a"), node("b", action=lambda seen: {"x": Overwrite(["new"])}), node("c"), keys=channels()
    )
    for order in (first, last):
        assert Driver(graph, order).play([("x", ["old"])]).output == {"x": ["new"]}


def test_input_that_cannot_be_built():
    """If a node's input cannot be made, the error says for which node."""

    def build(seen):
        raise ValueError("unfit")

    graph = plan(["a"], node("a", "b"), node("b", reader=StateView(build=build)))
    driver = Driver(graph).play()
    assert location_of(driver.error).node == "b"
    assert driver.of("values") == [{"x": ["a"]}]


def test_parent_command():
    """A command for the parent ends a nested run without a part or a note; in a root graph it is a plain error."""
    graph = plan(["a"], node("a", action=lambda seen: Command(graph=Command.PARENT, goto="z")))
    nested = Driver(graph, modes=("updates", "tasks"), ns=("outer:1",)).play()
    assert isinstance(nested.error, ParentCommand)
    assert location_of(nested.error) is None
    assert [part for part in nested.of("tasks") if "error" in part] == []
    root = Driver(graph, modes=("updates", "tasks")).play()
    assert [part["error"] for part in root.of("tasks") if "error" in part] == [root.error]


def test_control_signals_are_no_failures():
    """A task that ends with a signal has no result and no failure; those beside it are cancelled and waited for."""
    drained = GraphDrained("why not")

    def drain(seen):
        raise drained

    handler = node("handler")
    graph = plan(["a", "b"], node("a", action=drain, handler=handler), node("b"))
    driver = Driver(graph, first, modes=("values", "updates", "tasks")).play()
    assert [(entry.kind, entry.data) for entry in driver.log if entry.kind != "tasks"] == [
        ("start", "a"),
        ("start", "b"),
        ("end", "a"),
        ("cancel", ["b"]),
        ("end", "b"),
    ]
    assert all("error" not in part for part in driver.of("tasks"))
    assert driver.error is drained
    assert location_of(drained) is None


def test_a_drained_run_can_be_taken_up():
    """A run that was drained knows what is due; a new one goes on with that, and counts its steps anew."""
    control = RunControl()
    control.request_drain()
    graph = line("a", "b")
    driver = Driver(graph, control=control, limit=2).play([("x", ["in"])])
    assert isinstance(driver.error, GraphDrained)
    assert (driver.run.frontier.step, driver.run.frontier.due, driver.starts()) == (0, {"a"}, {})
    again = Driver(graph, limit=2)
    again.run = taken_up(graph, driver.run.state.saved(), driver.run.frontier, limit=2)
    again.run.start = lambda writes: again.run.resume()
    assert again.play().output == {"x": ["in", "a", "b"]}


def test_workflow():
    """The function of a workflow is a task of step 0, never in place; its result is the state, and has no key."""
    flow = Node("flow", action=lambda given: given, triggers=("__start__",), kind="entrypoint")
    graph = Plan("flow", flow, {"flow": flow}, {}, {RESULT_KEY: Channel(RESULT_KEY)}, (RESULT_KEY,), lambda value: None)
    parts = PartBuilder((), unfiltered(frozenset(["values", "updates", "tasks"])), clock=str)
    run = Run(graph, parts, seed=SEED, limit=5)
    given = {"a": [1]}
    started, start = run.start([(ROOT_KEY, given)])
    assert (started.data["input"], start.task.step, start.alone) == (given, 0, False)
    start.task.input["a"].append(2)
    assert (given, run.output()) == ({"a": [1]}, None)
    *shown, end = run.feed(TaskDone(start.task, TaskResult(((RESULT_KEY, {"__overwrite__": 3}),))))
    assert [(part.mode, part.data) for part in shown if part.mode != "tasks"] == [
        ("updates", {"flow": {"__overwrite__": 3}}),
        ("values", {"__overwrite__": 3}),
    ]
    assert isinstance(end, Finish)
    assert run.output() == {"__overwrite__": 3}


def test_join_and_defer():
    """A join waits for branches of different length, and a deferred node for everything."""
    join = Join(frozenset(("a", "c")), "d", "join:a+c:d")
    graph = plan(
        ["a", "b"],
        node("a", "late", joins=(join,)),
        node("b", "c"),
        node("c", joins=(join,)),
        node("d"),
        node("late", defer=True),
    )
    assert Driver(graph).play().starts() == {1: ["a", "b"], 2: ["c"], 3: ["d"], 4: ["late"]}


@pytest.mark.parametrize(("output", "result"), [(None, {"x": ["a"], "p": 1}), (("p",), {"p": 1}), ("x", ["a"])])
def test_output_keys(output, result):
    """The output has the keys asked for, or is the bare value of the one asked for."""
    graph = plan(["a"], node("a", action=lambda seen: {"x": ["a"], "p": 1}), keys=channels("p"))
    assert Driver(graph, output=output).play().output == result


def test_root_state():
    """A state of one value has that value as input, update and output."""
    graph = plan(
        ["a"], node("a", action=lambda seen: 6), keys={ROOT_KEY: Channel(ROOT_KEY, lambda one, two: one + two, int)}
    )
    driver = Driver(graph).play([(ROOT_KEY, 5)])
    assert (driver.of("values"), driver.of("updates"), driver.output) == ([5, 11], [{"a": 6}], 11)


def test_ids():
    """Tasks have ids of their own, and the same ones in a second run with the same seed."""
    graph = plan(["s"], node("s", action=lambda seen: [Send("w", 1), Send("w", 1)]), node("w", "z"), node("z"))
    runs = [
        [part["id"] for part in Driver(graph, modes=("tasks",)).play().of("tasks") if "input" in part] for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 4


def test_output_is_apart():
    """Changing the output changes nothing in the state."""
    driver = Driver(line("a")).play()
    driver.output["x"].append("spoilt")
    assert driver.run.output() == {"x": ["a"]}


def test_invalid_return_is_a_failure_of_the_node():
    """What a node may not return is reported with node and step."""
    error = Driver(plan(["a"], node("a", action=lambda seen: 5))).play().error
    assert isinstance(error, InvalidUpdateError)
    assert location_of(error).node == "a"


def test_drain_leaves_the_frontier():
    """A run that is asked to end knows the last step that ran and what is due next: that is what can be saved."""
    control = RunControl()
    graph = plan(["a"], node("a", "b", action=lambda seen: control.request_drain()), node("b"))
    driver = Driver(graph, control=control).play([("x", ["in"])])
    assert isinstance(driver.error, GraphDrained)
    assert (driver.run.frontier.step, driver.run.frontier.due) == (1, {"b"})
