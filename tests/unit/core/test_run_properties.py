"""What holds for every graph and every order in which tasks end."""

from __future__ import annotations

import pickle
from collections import Counter
from operator import add
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Tuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamgraph._core.effects import OpenStep
from streamgraph._core.plan import Branch, Channel, Join, Node, Plan, StateView
from streamgraph.errors import GraphRecursionError
from streamgraph.types import Command, Send
from unit.core.plans import Driver, by, first, last, plan, taken_up

NAMES = ("n0", "n1", "n2", "n3", "n4")
LIMIT = 5


class Spec(NamedTuple):
    """A node as it was drawn."""

    edges: FrozenSet[str]
    goto: FrozenSet[str]
    sends: Tuple[str, ...]
    routes: Optional[FrozenSet[str]]
    defer: bool
    plain: bool
    fails: bool


some = st.frozensets(st.sampled_from(NAMES), max_size=2)
specs = st.builds(
    Spec,
    edges=some,
    goto=some,
    sends=st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
    routes=st.none() | some,
    defer=st.integers(0, 5).map(lambda number: number == 5),
    plain=st.integers(0, 7).map(lambda number: number == 7),
    fails=st.just(False),
)
joins = st.lists(
    st.tuples(st.frozensets(st.sampled_from(NAMES), min_size=2, max_size=3), st.sampled_from(NAMES)), max_size=2
)
starts = st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=3)
orders = st.lists(st.integers(0, 30), max_size=30)
common = settings(
    derandomize=True,
    deadline=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def action_of(name: str, spec: Spec) -> Any:
    """Write, and go somewhere, depending on what is seen."""

    def action(seen: Dict[str, Any]) -> Any:
        if spec.fails:
            raise ValueError(name)
        size = len(seen["x"])
        update: Dict[str, Any] = {"x": [f"{name}@{size}"], "n": size}
        if spec.plain:
            update["p"] = name
        goto = [*sorted(spec.goto)] if size % 2 else []
        sent = [Send(target, {"x": seen["x"][:index]}) for index, target in enumerate(spec.sends)] if size % 3 else []
        return Command(update=update, goto=[*goto, *sent])

    return action


def plan_of(drawn: Tuple[Spec, ...], start: FrozenSet[str], joined: Any) -> Plan:
    """A plan with these nodes."""
    made = [
        Join(sources, target, f"join:{'+'.join(sorted(sources))}:{target}:{index}")
        for index, (sources, target) in enumerate(joined)
    ]
    nodes = []
    for name, spec in zip(NAMES, drawn):
        routes = () if spec.routes is None else sorted(spec.routes)
        choose = Branch("choose", lambda seen, routes=routes: list(routes[: len(seen["x"]) % 3]), StateView())
        nodes.append(
            Node(
                name,
                action_of(name, spec),
                edges=tuple(sorted(spec.edges)),
                joins=tuple(join for join in made if name in join.sources),
                branches=() if spec.routes is None else (choose,),
                defer=spec.defer,
            )
        )
    keys = {"x": Channel("x", add, list), "n": Channel("n", add, int), "p": Channel("p")}
    return plan(sorted(start), *nodes, keys=keys)


plans = st.builds(plan_of, st.tuples(*[specs] * len(NAMES)), starts, joins)


def by_step(driver: Driver, kind: str) -> Dict[int, Counter]:
    """What there was of a kind in each step, in no order."""
    found: Dict[int, Counter] = {}
    for entry in driver.log:
        if entry.kind == kind:
            found.setdefault(entry.step, Counter())[repr(entry.data)] += 1
    return found


@common
@given(plans, orders, st.none() | st.integers(1, 3))
def test_order_of_completion_does_not_matter(graph, order, concurrency):
    """State, values, output and error are the same in whatever order tasks end; updates are so in each step."""
    usual = Driver(graph, first, limit=LIMIT).play([("x", ["in"])])
    for choose in (by(order), last):
        other = Driver(graph, choose, limit=LIMIT, concurrency=concurrency).play([("x", ["in"])])
        assert other.of("values") == usual.of("values")
        assert other.run.state.values == usual.run.state.values
        assert (other.output, repr(other.error), str(other.error)) == (
            usual.output,
            repr(usual.error),
            str(usual.error),
        )
        assert by_step(other, "updates") == by_step(usual, "updates")
        assert other.starts() == usual.starts()


@common
@given(plans, orders, st.none() | st.integers(1, 3))
def test_steps_follow_each_other(graph, order, concurrency):
    """A task's update comes after its start and before the values of its step, and these before the next step."""
    driver = Driver(graph, by(order), limit=LIMIT, concurrency=concurrency).play([("x", ["in"])])
    step, closed = 0, False
    running: Counter = Counter()
    for entry in driver.log:
        assert entry.step >= step
        if entry.step > step:
            assert closed, "a step begins before the values of the last one"
            assert not running
            step, closed = entry.step, False
        assert not closed, "something of a step comes after its values"
        if entry.kind == "start":
            running[entry.data] += 1
        elif entry.kind == "end":
            running = running - Counter([entry.data])
            ended = entry.data
        elif entry.kind == "updates":
            assert list(entry.data) == [ended]
        elif entry.kind == "values":
            assert not running
            closed = True
    assert len(driver.of("updates")) == len(driver.of("end")) == len(driver.of("start"))


@common
@given(plans, orders, st.integers(1, 3))
def test_concurrency(graph, order, concurrency):
    """No more tasks than allowed run at once, and as many as allowed do if there are enough."""
    driver = Driver(graph, by(order), limit=LIMIT, concurrency=concurrency).play([("x", ["in"])])
    assert driver.most == min(concurrency, max(map(len, driver.starts().values())))


@common
@given(st.tuples(*[specs] * len(NAMES)), starts, joins, st.sets(st.sampled_from(NAMES), min_size=1), orders)
def test_failures(drawn, start, joined, broken, order):
    """After a failure nothing is started or shown, what runs is cancelled and waited for, the first error is raised."""
    graph = plan_of(tuple(spec._replace(fails=name in broken) for name, spec in zip(NAMES, drawn)), start, joined)
    driver = Driver(graph, by(order), limit=LIMIT, concurrency=3).play([("x", ["in"])])
    failed = [index for index, entry in enumerate(driver.log) if entry.kind == "end" and entry.data in broken]
    assert not driver.running
    if not failed:
        return
    before, after = driver.log[: failed[0] + 1], driver.log[failed[0] + 1 :]
    assert repr(driver.error) == f"ValueError({driver.log[failed[0]].data!r})"
    running = Counter(entry.data for entry in before if entry.kind == "start")
    running -= Counter(entry.data for entry in before if entry.kind == "end")
    cancelled = [name for entry in after if entry.kind == "cancel" for name in entry.data]
    assert Counter(cancelled) == running
    assert Counter(entry.data for entry in after if entry.kind == "end") == running
    assert {entry.kind for entry in after} <= {"cancel", "end"}


@common
@given(plans, orders)
def test_recursion_limit(graph, order):
    """A run of n steps succeeds with any limit from n on, and fails below it after the same chunks."""
    free = Driver(graph, by(order), limit=LIMIT).play([("x", ["in"])])
    if free.error is not None:
        return
    steps = max(free.starts())
    exact = Driver(graph, by(order), limit=steps).play([("x", ["in"])])
    assert (exact.output, exact.error) == (free.output, None)
    if steps > 1:
        short = Driver(graph, by(order), limit=steps - 1).play([("x", ["in"])])
        assert isinstance(short.error, GraphRecursionError)
        assert short.log == free.log[: len(short.log)]
        assert max(short.starts()) == steps - 1


class TakenUp(Driver):
    """After every step it forgets its run and builds a new one from what was known: values and a frontier."""

    def open_step(self) -> Any:
        """Take the run up again, from plain data that has left the process."""
        old = self.run
        values, frontier = pickle.loads(pickle.dumps((old.state.saved(), old.frontier)))
        self.run = taken_up(old.plan, values, frontier, limit=LIMIT - frontier.step)
        *_, effect = self.run.resume()
        assert isinstance(effect, OpenStep)
        return self.run.open_step()


@common
@given(plans, orders)
def test_taken_up_after_every_step(graph, order):
    """A run that is built anew from the state and the frontier after each step does what the one in one piece does."""
    whole = Driver(graph, by(order), limit=LIMIT).play([("x", ["in"])])
    pieces = TakenUp(graph, by(order), limit=LIMIT).play([("x", ["in"])])
    assert pieces.log == whole.log
    assert pieces.output == whole.output
    assert type(pieces.error) is type(whole.error)


@common
@given(plans, orders)
def test_nothing_changes_between_two_steps(graph, order):
    """What a run knows when it says that a step is over is what the step has left, and a copy of it stays that."""
    driver = Driver(graph, by(order), limit=LIMIT)
    known: List[Any] = []
    open_step = driver.run.open_step

    def look() -> Any:
        frontier = driver.run.frontier.copy()
        known.append((frontier, repr(frontier), max(driver.starts(), default=0)))
        return open_step()

    driver.run.open_step = look
    driver.play([("x", ["in"])])
    for frontier, text, ran in known:
        assert (repr(frontier), frontier.step) == (text, ran)


class Told(list):
    """A log that notes what each entry looked like when it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.told: List[str] = []

    def append(self, entry: Any) -> None:
        """Add an entry."""
        self.told.append(repr(entry))
        super().append(entry)


@common
@given(plans, orders)
def test_chunks_never_change(graph, order):
    """A part that was made stays as it was, whatever the rest of the run does."""
    driver = Driver(graph, by(order), limit=LIMIT, modes=("values", "updates", "tasks"))
    driver.log = Told()
    driver.play([("x", ["in"])])
    assert [repr(entry) for entry in driver.log] == driver.log.told
