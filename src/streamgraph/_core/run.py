"""The state machine of a run: decides what happens next, superstep after superstep."""

from __future__ import annotations

from collections import deque
from typing import AbstractSet, Any, Deque, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple, Union

from streamgraph._core.breakpoints import Breakpoints
from streamgraph._core.channel_objects import Folded, touches, updated_keys
from streamgraph._core.closing import results_of
from streamgraph._core.control import RunControl
from streamgraph._core.effects import CancelTasks, Effect, Exit, Fail, Finish, OpenStep, StartTask
from streamgraph._core.events import Event, TaskDone, TaskFailed
from streamgraph._core.frontier import Frontier
from streamgraph._core.ids import SeededIds, TaskIds
from streamgraph._core.parts import Keys, PartBuilder, root_or_mapping, with_interrupts
from streamgraph._core.plan import Node, Plan
from streamgraph._core.results import Route, TaskResult
from streamgraph._core.state import State, Writes
from streamgraph._core.task import PUSH, Task, handling_task
from streamgraph._interrupts import Interrupt
from streamgraph._locations import locate
from streamgraph._policies import timeout_policy
from streamgraph._streams.copying import own_input
from streamgraph._types import Send
from streamgraph.errors import ErrorLocation, GraphBubbleUp, GraphDrained, GraphInterrupt, GraphRecursionError

_NONE: FrozenSet[str] = frozenset()


class Run:
    """The state machine of one run of a graph or workflow.

    The driver calls `start` once, `feed` whenever a task ends, and `open_step` when the run asks for it. It carries out
    the returned effects, in their order, before it feeds the next event.

    Between two steps, `state` and `frontier` are the complete state of the run; `SavedRun` stores them, and continues
    from there.

    Args:
        plan: The graph.
        parts: Makes the parts of its stream.
        seed: Identifies this run in the ids of its tasks, 16 bytes.
        ns: The namespace of the graph.
        limit: The most supersteps the run may take, from where it begins.
        concurrency: The most tasks that may run at once; `None` for no limit.
        control: Accepts requests to end the run.
        breakpoints: Where the run pauses; `None` for nowhere.
        output: The keys of the final state to return; the graph's output keys by default.
        entry: The routes that a new run takes besides the edges of the start.

    Attributes:
        state: The values.
        frontier: The nodes and sends due in the next step.
        tasks: The tasks of the current step.
        interrupts: The questions that tasks of the current step have asked; the run ends with them.
        limit: The number of the last superstep that it may take.
        paused: Why the run ends with steps left to do: `"pending"` for questions, else where; `""` if it does not.
        saves: What happens is to be stored.
        left: What stays due besides what the step leads to.
    """

    saves, paused = False, ""
    left: Optional[Frontier] = None

    def __init__(
        self,
        plan: Plan,
        parts: PartBuilder,
        *,
        seed: bytes,
        ns: tuple = (),  # type: ignore[type-arg]
        limit: int,
        concurrency: Optional[int] = None,
        output: Keys = None,
        entry: Sequence[Route] = (),
        control: Optional[RunControl] = None,
        breakpoints: Optional[Breakpoints] = None,
    ) -> None:
        self.plan = plan
        self.state = State(plan)
        # The steps of a graph of nodes and channels are counted from 0, since none is needed to take the input.
        self.frontier = Frontier(step=-1 if plan.started_by else 0)
        self._steps = limit
        self.limit = self.frontier.step + limit
        self._parts = parts
        self._ids: TaskIds = SeededIds(seed)
        self.ns = ns
        self._concurrency = concurrency
        self._output = plan.output_keys if output is None else output
        self._control, self._breakpoints = control, breakpoints
        self._entry = entry
        # Nothing has to be done at the end of a step but to fold and to advance.
        self._plain = not (self.saves or control or breakpoints or plan.templates or plan.started_by)
        # The input as state values, until the first `values` part contains them.
        self._fresh_input: Optional[Mapping[str, object]] = None
        # The values of channel objects after the last step that wrote something to return; they may be gone since.
        self._shown_objects = self.state.object_values()
        # False until there is something to return, for a graph of nodes and channels.
        self._answered = not plan.started_by
        self._running: Dict[str, Task] = {}
        self._waiting: Deque[Task] = deque()
        self._done: Dict[str, TaskResult] = {}
        # The results of nodes whose branch has failed and whose error handler runs.
        self._shown: Dict[str, TaskResult] = {}
        self.tasks: List[Task] = []
        self.interrupts: List[Interrupt] = []
        self._end: Union[Fail, Exit, None] = None

    def start(self, writes: Writes) -> List[Effect]:
        """Begin with an input.

        Args:
            writes: The input as writes to state keys; that of a workflow is one value.
        """
        start = self.plan.start
        given: Any = None
        if start.kind == "entrypoint":
            ((_, given),) = writes
            given = own_input(given)
        else:
            try:
                self._fresh_input = self.state.fold([(start.name, writes)])
                if self.plan.started_by:
                    return self._enter()
            except Exception as error:
                return [Fail(error)]
            if not start.branches:
                return self._close_step()
            # The branches of the start run like a node of their own, before the first step, and make no parts.
            self.state.store(self._fresh_input)
        step = self.frontier.step
        return self._start(
            [Task(self._ids.by_edge(step, start.name, start.triggers), start, step, given, start.triggers, -1)]
        )

    def _enter(self) -> List[Effect]:
        """Begin with the nodes that the input starts; no step has run, so the input is not shown as one."""
        fresh, self._fresh_input = self._fresh_input or {}, None
        self.state.store(fresh)
        self.frontier.advance(self.plan, [(self.plan.start, self._entry)], _NONE, updated_keys(fresh))
        self._entry = ()
        self._drop_unready()
        return [self._next()]

    def _drop_unready(self) -> None:
        """Leave out the nodes that are due but whose one channel has no value."""
        nodes, values = self.plan.nodes, self.state.values
        self.frontier.due = {name for name in self.frontier.due if nodes[name].needs in (None, *values)}

    def feed(self, event: Event) -> List[Effect]:
        """Process an event and return the next effects.

        Args:
            event: The end of a task.
        """
        task = event.task
        del self._running[task.id]
        if self._end is not None:
            noted = self._noted(task, event.outcome) if self.saves and isinstance(event, TaskDone) else []
            return noted + self._ended()
        effects: List[Effect]
        if isinstance(event, TaskDone):
            self._done[task.id] = event.outcome
            effects = self._noted(task, event.outcome) if self.saves else []
            effects += self._parts.finished(task, event.outcome, event.cached)
        elif isinstance(event, TaskFailed):
            return self._failed(event)
        elif isinstance(event.signal, GraphInterrupt):
            asked, self.paused = event.signal.interrupts, "pending"  # what the tasks beside it do is kept
            self.interrupts += asked
            effects = self._noted(task, None, None, asked) if self.saves else []
            effects += self._parts.interrupted(task, asked)
        else:
            return self._stop(Exit(event.signal))
        if self._waiting:
            effects += self._start()
        elif not self._running:
            effects += self._close_step()
        return effects

    def _failed(self, event: TaskFailed) -> List[Effect]:
        task, error = event.task, event.error
        locate(error, ErrorLocation(task.name, task.step, self.ns))
        effects = self._noted(task, None, error) if self.saves else []
        effects += self._parts.failed(task, error, event.outcome)
        if event.outcome is not None:
            self._shown[task.id] = event.outcome
        if task.node.handler is not None and isinstance(error, Exception) and not isinstance(error, GraphBubbleUp):
            return effects + self._handle(task, task.node.handler, error)
        return effects + self._stop(Fail(error))

    def _handle(self, failed: Task, handler: Node, error: Exception) -> List[Effect]:
        """Run the error handler of a node in its place, in the same step."""
        id_ = self._ids.handling(failed.step, failed.id, failed.name, handler.name)
        task = handling_task(id_, failed, error)
        self.tasks.append(task)
        self._running[task.id] = task
        return [StartTask(task, alone=len(self._running) == 1)]

    def _stop(self, end: Union[Fail, Exit]) -> List[Effect]:
        """End before the end of the step: no more tasks start, and running ones are cancelled."""
        self._end = end
        self._waiting.clear()
        cancel: List[Effect] = [CancelTasks(list(self._running.values()))] if self._running else []
        return cancel + self._ended()

    def _ended(self) -> List[Effect]:
        """Return the end of the run once no task is running any more; until then, nothing."""
        assert self._end is not None
        return [] if self._running else [self._end]

    def _close_step(self) -> List[Effect]:
        """Fold the writes of the step into the state, advance the frontier, and return the parts of the step."""
        tasks, (entry, self._entry) = self.tasks, (self._entry, ())
        finished, written, known = results_of(tasks, self._done, self._shown, self.plan.start, entry)
        try:
            if self._fresh_input is not None:
                fresh, self._fresh_input = self._fresh_input, None  # branches of the start write nothing
            elif len(tasks) == 1 and known and known[0] is not None:
                fresh = known[0]
            else:
                consumed = self._consumed() if self.plan.started_by else ()
                fresh = self.state.fold(written, known, (self.frontier.step, self.ns), consumed)
            self.state.store(fresh)
            named = not self._plain or self.frontier.joined
            ran = frozenset([task.name for task in tasks]) if named else _NONE
            if self._plain:
                self.frontier.advance(self.plan, finished, ran)
            else:
                self._advance(finished, ran, fresh)
        except Exception as error:
            return [Fail(error)]
        shown = self._parts.values(self.state, fresh, self.interrupts)
        if self._plain:
            usual = self.frontier.due and self.frontier.step < self.limit and not self.paused
            return [*shown, _OPEN_STEP if usual else self._next()]  # the usual step costs no call
        if self.paused:  # the step is not over: it goes on when its questions are answered
            return [*shown, self._next()]
        saved, told = (self._saved(fresh.keys(), ran), self._told()) if self.saves else ([], [])
        self.paused = "" if self._breakpoints is None else self._breakpoints.stops(ran, self.frontier)
        if self.paused:
            return [*saved, *shown, *told, *self._parts.paused(), self._next()]
        return [*saved, *shown, *told, self._next()]

    def _advance(
        self, finished: Sequence[Tuple[Node, Sequence[Route]]], ran: FrozenSet[str], fresh: Mapping[str, object]
    ) -> None:
        """Advance the frontier of a run that is not plain."""
        updated = updated_keys(fresh) if self.plan.started_by else _NONE
        nothing = self.frontier.advance(self.plan, finished, ran, updated)
        if self.left is not None:
            nothing = self.frontier.keep(self.left) and nothing
        if isinstance(fresh, Folded):
            if nothing and not self.paused:
                self.state.finish(fresh)
            if fresh.touches(self._output):
                self._shown_objects = self.state.object_values()
        if self.plan.started_by:
            if nothing and updated_keys(fresh) != updated:
                self.frontier.advance(self.plan, (), _NONE, updated_keys(fresh))
            self._drop_unready()
            self._answered = self._answered or touches(fresh, self._output)

    def _noted(
        self,
        task: Task,
        result: Optional[TaskResult],
        error: Optional[BaseException] = None,
        questions: Sequence[Interrupt] = (),
    ) -> List[Effect]:
        """Return the effects that store what a task has come to: none, unless the run is saved."""
        return []

    def _saved(self, changed: AbstractSet[str], ran: FrozenSet[str]) -> List[Effect]:
        """Return the effects that store what the run is after a step: none, unless the run is saved."""
        return []

    def _told(self) -> List[Effect]:
        """Return the parts that show what was stored: none, unless the run is saved."""
        return []

    def _reused(self, tasks: Sequence[Task]) -> List[Effect]:
        """Take known results of tasks about to start, and return their parts: none, unless the run is saved."""
        return []

    def _consumed(self) -> List[str]:
        """Return the keys that have started the tasks of the step, in a fixed order."""
        triggers = dict.fromkeys(trigger for task in self.tasks for trigger in task.triggers)
        return [key for key in triggers if key in self.plan.channels]

    def fold(self, task: Task, stored: Writes) -> Mapping[str, object]:
        """Return what the writes of one task change, for the branches after it.

        Args:
            task: The task.
            stored: Its writes in the form in which they are stored.
        """
        # What the input changes is in the state already, and channel objects may forget it in the next step.
        return {} if task.node is self.plan.start else self.state.fold([(task.name, stored)])

    def _next(self) -> Effect:
        """Return the effect that follows a step; the frontier is not changed."""
        frontier = self.frontier
        if self.paused:
            # Whoever runs a root graph finds the questions in its output; a nested one hands them on.
            return Exit(GraphInterrupt(tuple(self.interrupts))) if self.ns else _FINISH
        if not frontier.due and not frontier.sends:
            return _FINISH
        if frontier.step >= self.limit:
            names = sorted({*frontier.due, *(send.node for send in frontier.sends)})
            return Fail(
                GraphRecursionError(
                    f"Recursion limit of {self._steps} reached without hitting a stop condition; "
                    f"still to run: {', '.join(map(repr, names[:5]))}",
                    step=frontier.step,
                    hint="If the graph needs more steps, raise it with the config key recursion_limit.",
                )
            )
        if self._control is not None and self._control.drain_reason is not None:
            return Exit(GraphDrained(self._control.drain_reason))
        return _OPEN_STEP

    def open_step(self) -> List[Effect]:
        """Begin the step that is due."""
        frontier, nodes = self.frontier, self.plan.nodes
        step = frontier.step = frontier.step + 1
        limit = self.limit + 1 if self.plan.started_by else self.limit  # computed values count from step 1
        self._done.clear()
        self._shown.clear()
        tasks: List[Task] = []
        name = ""
        try:
            for index, send in enumerate(frontier.sends):
                name = send.node
                tasks.append(self._sent(send, index))
            for name in sorted(frontier.due) if len(frontier.due) > 1 else frontier.due:
                node = nodes[name]
                seen = self.state.read(node.reader, step, limit)
                tasks.append(Task(self._ids.by_edge(step, name, node.triggers), node, step, seen, node.triggers, -1))
        except Exception as error:
            locate(error, ErrorLocation(name, step, self.ns))
            return [Fail(error)]
        return self._start(tasks)

    def _sent(self, send: Send, index: int) -> Task:
        step, name = self.frontier.step, send.node
        id_ = self._ids.by_send(step, name, index)
        task = Task(id_, self.plan.nodes[name], step, own_input(send.arg), (PUSH,), index)
        if send.timeout is not None:
            task.timeout = timeout_policy(send.timeout)
        return task

    def _start(self, tasks: Optional[List[Task]] = None) -> List[Effect]:
        """Start tasks, up to the concurrency limit: those of a new step, or waiting ones."""
        effects: List[Effect] = []
        if tasks is not None:
            self.tasks = tasks
            self._waiting.extend(tasks)
            if self._parts.shows_starts:
                for task in tasks:
                    effects += self._parts.started(task)
            if self.saves:
                effects += self._reused(tasks)
                if tasks and not self._waiting:
                    return effects + self._close_step()
        # A workflow does not run in place, since the parts of its subtasks must be streamed while it waits for them.
        alone = len(self.tasks) == 1 and self.tasks[0].node.kind != "entrypoint"
        while self._waiting and (self._concurrency is None or len(self._running) < self._concurrency):
            task = self._waiting.popleft()
            self._running[task.id] = task
            effects.append(StartTask(task, alone))
        return effects

    def take_entry(self) -> Sequence[Route]:
        """Return the routes that the run was to take at its start, which it then does not."""
        entry, self._entry = self._entry, ()
        return entry

    def snapshot(self, keys: Optional[Sequence[str]] = None) -> Dict[str, Any]:
        """Return the values of `keys` that have one, or of all keys, each owned by the receiver."""
        return self.state.snapshot(keys)

    def output(self, asked: bool = True) -> Any:
        """Return the state as `invoke` returns it, or `None` if no value was ever written.

        A run that was interrupted has its questions in it, under `__interrupt__`, unless `asked` is False.
        """
        output = self._own_output()
        return with_interrupts(output, list(self.interrupts)) if self.interrupts and asked else output

    def _own_output(self) -> Any:
        if not self.interrupts and not (self.state.written and self._answered):
            return None
        if isinstance(self._output, str):
            return self.state.snapshot([self._output], self._shown_objects).get(self._output)
        return root_or_mapping(self.state, self._output, self._shown_objects)


_OPEN_STEP, _FINISH = OpenStep(), Finish()
