"""Small graphs for the core, and the smallest driver there can be: it ends one task after the other."""

from __future__ import annotations

from collections import defaultdict
from operator import add
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from streamgraph._core.control import RunControl, is_signal
from streamgraph._core.effects import CancelTasks, Exit, Fail, Finish, Note, OpenStep, Save, StartTask
from streamgraph._core.events import TaskDone, TaskFailed, TaskSignalled
from streamgraph._core.frontier import Frontier
from streamgraph._core.ids import SeededIds
from streamgraph._core.parts import PartBuilder
from streamgraph._core.plan import Branch, Channel, Node, Plan, StateView
from streamgraph._core.record import AboutRecord, Record
from streamgraph._core.results import read_result, read_routes
from streamgraph._core.run import Run
from streamgraph._core.saved_run import SavedRun
from streamgraph._core.task import Task
from streamgraph._streams.part import Part
from streamgraph._streams.subscribers import unfiltered
from streamgraph.errors import GraphBubbleUp

SEED = b"0123456789abcdef"
Chooser = Callable[[List[Task]], int]


def first(running: List[Task]) -> int:
    """Let the task end that was started first."""
    return 0


def last(running: List[Task]) -> int:
    """Let the task end that was started last."""
    return len(running) - 1


def by(choices: Sequence[int]) -> Chooser:
    """Let tasks end in an order that a list of numbers stands for."""
    given = iter(choices)
    return lambda running: next(given, 0) % len(running)


def channels(*plain: str, lists: Sequence[str] = ("x",)) -> Dict[str, Channel]:
    """Keys that hold lists which are joined, and plain keys."""
    return {**{key: Channel(key, add, list) for key in lists}, **{key: Channel(key) for key in plain}}


def node(name: str, *edges: str, **fields: Any) -> Node:
    """A node that appends its name to `x`, unless it is given another action."""
    fields.setdefault("action", lambda seen: {"x": [name]})
    fields.setdefault("triggers", (f"branch:to:{name}",))
    return Node(name, edges=edges, **fields)


def branch(name: str, action: Callable[[Any], Any], targets: Optional[Mapping[Any, str]] = None) -> Branch:
    """A conditional edge."""
    return Branch(name, action, StateView(), targets)


def plan(start: Sequence[str], *nodes: Node, keys: Optional[Dict[str, Channel]] = None, **fields: Any) -> Plan:
    """A plan whose runs begin at the nodes named by `start`."""
    known = channels() if keys is None else keys
    return Plan(
        name="plan",
        start=Node("__start__", edges=tuple(start), triggers=("__start__",), branches=fields.pop("branches", ())),
        nodes={item.name: item for item in nodes},
        joins={join.trigger: join for item in nodes for join in item.joins},
        channels=known,
        output_keys=tuple(known),
        as_mapping=fields.pop("as_mapping", lambda value: None),
    )


class Entry(NamedTuple):
    """One line of a run's log: what happened in which step."""

    kind: str
    step: int
    data: Any


class Numbers:
    """Identifies records as if the run were not saved: every run of a plan gives its tasks the same ids."""

    def record(self, record: Record) -> SeededIds:
        """Return the ids of the tasks of the step after a record."""
        return SeededIds(SEED)

    def about_last(self) -> AboutRecord:
        """Return how the last record is found again, which it is not."""
        return AboutRecord({}, None, {}, lambda task, name: None)


def taken_up(plan: Plan, values: Mapping[str, object], frontier: Frontier, *, limit: int) -> SavedRun:
    """Return a run that continues from what another one was after a step."""
    parts = PartBuilder((), unfiltered(frozenset(("values", "updates"))), clock=lambda: "now")
    run = SavedRun(plan, parts, seed=SEED, limit=limit, recorder=Numbers())
    run.load(Record(frontier.step, "loop", values, frontier), {}, SeededIds(SEED))
    return run


class Driver:
    """Runs a plan whose actions are plain functions, ending the running tasks in a chosen order.

    Args:
        graph: The plan.
        choose: Says which of the running tasks ends next.
        modes: The modes to make parts of.
        limit: The recursion limit.
        concurrency: The most tasks that may run at once.
    """

    def __init__(
        self,
        graph: Plan,
        choose: Chooser = first,
        *,
        modes: Sequence[str] = ("values", "updates"),
        limit: int = 50,
        concurrency: Optional[int] = None,
        ns: Tuple[str, ...] = (),
        output: Any = None,
        control: Optional[RunControl] = None,
    ) -> None:
        parts = PartBuilder(ns, unfiltered(frozenset(modes)), clock=lambda: "now")
        self.run = Run(
            graph, parts, seed=SEED, ns=ns, limit=limit, concurrency=concurrency, output=output, control=control
        )
        self.log: List[Entry] = []
        self.running: List[Task] = []
        self.cancelled: List[Task] = []
        self.most = 0
        self.output: Any = None
        self.error: Optional[BaseException] = None
        self._plan = graph
        self._choose = choose

    def play(self, writes: Sequence[Tuple[str, Any]] = ()) -> Driver:
        """Run to the end."""
        ended = self._carry_out(self.run.start(tuple(writes)), 0)
        while not ended:
            task = self.running.pop(self._choose(self.running))
            self.log.append(Entry("end", task.step, task.name))
            ended = self._carry_out(self.run.feed(self.event(task)), task.step)
        return self

    def event(self, task: Task) -> Any:
        """Say how a task ends."""
        if task in self.cancelled:
            return TaskFailed(task, RuntimeError(f"{task.name} was cancelled"))
        outcome = None
        try:
            result = task.node.action(task.input) if task.step else None
            outcome = read_result(self._plan, task.name, result)
            fresh = self.run.state.fold([(task.name, outcome.writes)])
            routes = list(outcome.routes)
            for item in task.node.branches:
                seen = self.run.state.read(item.reader, task.step, self.run.limit, fresh)
                routes += read_routes(self._plan, task.name, item, item.action(seen))
        except Exception as error:
            if isinstance(error, GraphBubbleUp) and is_signal(error, self.run.ns):
                return TaskSignalled(task, error)
            return TaskFailed(task, error, outcome)
        return TaskDone(task, outcome._replace(routes=tuple(routes)))

    def open_step(self) -> Sequence[Any]:
        """Go on to the next step."""
        return self.run.open_step()

    def _carry_out(self, commands: Sequence[Any], step: int) -> bool:
        for command in commands:
            if isinstance(command, StartTask):
                step = command.task.step
                self.running.append(command.task)
                self.most = max(self.most, len(self.running))
                self.log.append(Entry("start", step, command.task.name))
            elif isinstance(command, (Note, Save)):
                continue
            elif isinstance(command, Part):
                self.log.append(Entry(command.mode, step, command.data))
            elif isinstance(command, CancelTasks):
                self.cancelled += command.tasks
                self.log.append(Entry("cancel", step, sorted(task.name for task in command.tasks)))
            elif isinstance(command, OpenStep):
                return self._carry_out(self.open_step(), step)
            elif isinstance(command, Finish):
                self.output = self.run.output()
                return True
            else:
                assert isinstance(command, (Fail, Exit))
                self.error = command.error if isinstance(command, Fail) else command.signal
                return True
        return False

    def of(self, kind: str) -> List[Any]:
        """The data of all entries of a kind."""
        return [entry.data for entry in self.log if entry.kind == kind]

    def starts(self) -> Dict[int, List[str]]:
        """The names of the tasks of each step, sorted."""
        found: Dict[int, List[str]] = defaultdict(list)
        for entry in self.log:
            if entry.kind == "start":
                found[entry.step].append(entry.data)
        return {step: sorted(names) for step, names in found.items()}
