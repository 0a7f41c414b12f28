"""One run of a graph: what happens next, superstep after superstep."""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, Dict, FrozenSet, List, Optional, Sequence, Tuple

from streamgraph._core.control import RunControl
from streamgraph._core.effects import CancelTasks, Effect, Fail, Finish, StartTask
from streamgraph._core.events import Event, TaskFailed
from streamgraph._core.frontier import Frontier
from streamgraph._core.ids import task_id
from streamgraph._core.parts import Keys, PartBuilder, root_or_mapping
from streamgraph._core.plan import Node, Plan
from streamgraph._core.results import Route, TaskResult
from streamgraph._core.state import State, Writes
from streamgraph._core.task import PUSH, Task, handling_task
from streamgraph._locations import locate
from streamgraph._policies import timeout_policy
from streamgraph._streams.copying import copy_containers
from streamgraph._types import Send
from streamgraph.errors import ErrorLocation, GraphBubbleUp, GraphRecursionError, ParentCommand

_NONE: FrozenSet[str] = frozenset()


class Run:
    """The state machine of one run.

    The driver calls `start` once and `feed` whenever a task ends, and carries out the commands
    that come back, in their order, before it feeds the next event.

    Args:
        plan: The graph.
        parts: Makes what the stream shows.
        seed: Stands for this run in the ids of its tasks, 16 bytes.
        ns: The namespace of the graph.
        limit: The most supersteps the run may take.
        concurrency: The most tasks that may run at once; `None` for no limit.
        control: Through which it can be asked to end.
        output: The keys of the final state to return; the graph's output keys by default.

    Attributes:
        state: The values.
        frontier: What is to run next.
        tasks: The tasks of the current step.
    """

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
        control: Optional[RunControl] = None,
    ) -> None:
        self.plan = plan
        self.limit = limit
        self.state = State(plan)
        self.frontier = Frontier()
        self._parts = parts
        self._seed = seed
        self.ns = ns
        self._concurrency = concurrency
        self._output = plan.output_keys if output is None else output
        self._control = control
        self._fresh_input: Dict[str, Any] = {}
        self._running: Dict[str, Task] = {}
        self._waiting: Deque[Task] = deque()
        self._done: Dict[str, TaskResult] = {}
        # What a node has written whose branch has failed, and for which an error handler runs.
        self._shown: Dict[str, TaskResult] = {}
        self.tasks: List[Task] = []
        self._error: Optional[BaseException] = None

    def start(self, writes: Writes) -> List[Effect]:
        """Begin with this input.

        Args:
            writes: The input as writes to state keys.
        """
        start = self.plan.start
        try:
            self._fresh_input = self.state.fold([(start.name, writes)])
        except Exception as error:
            return [Fail(error)]
        if not start.branches:
            return self._close_step()
        # The branches of the start run like a node of their own, before the first step and unseen.
        self.state.store(self._fresh_input)
        self.tasks = [Task(task_id(self._seed, 0, start.name, -1), start, 0, None, start.triggers, -1)]
        self._waiting.extend(self.tasks)
        return self._start_waiting()

    def feed(self, event: Event) -> List[Effect]:
        """Take in what happened.

        Args:
            event: The end of a task.
        """
        if isinstance(event, TaskFailed):
            return self._failed(event)
        task = event.task
        del self._running[task.id]
        if self._error is not None:
            return self._stopped()
        self._done[task.id] = event.outcome
        commands: List[Effect] = [*self._parts.finished(task, event.outcome, event.cached)]
        if self._waiting:
            commands += self._start_waiting()
        elif not self._running:
            commands += self._close_step()
        return commands

    def _failed(self, event: TaskFailed) -> List[Effect]:
        task, error = event.task, event.error
        del self._running[task.id]
        if self._error is not None:
            return self._stopped()
        commands: List[Effect] = []
        if not (isinstance(error, ParentCommand) and self.ns):
            locate(error, ErrorLocation(task.name, task.step, self.ns))
            commands += self._parts.failed(task, error, event.outcome)
            if event.outcome is not None:
                self._shown[task.id] = event.outcome
        if task.node.handler is not None and isinstance(error, Exception) and not isinstance(error, GraphBubbleUp):
            return commands + self._handle(task, error)
        self._error = error
        self._waiting.clear()
        if self._running:
            commands.append(CancelTasks(list(self._running.values())))
        return commands + self._stopped()

    def _handle(self, failed: Task, error: Exception) -> List[Effect]:
        """Run the error handler of a node in its place, in the same step."""
        task = handling_task(task_id(self._seed, failed.step, f"handles {failed.id}", -1), failed, error)
        self.tasks.append(task)
        self._running[task.id] = task
        return [StartTask(task, alone=len(self._running) == 1)]

    def _stopped(self) -> List[Effect]:
        """Fail, once every task that ran beside the failed one has ended."""
        assert self._error is not None
        return [] if self._running else [Fail(self._error)]

    def _close_step(self) -> List[Effect]:
        tasks = self.tasks if len(self.tasks) < 2 else sorted(self.tasks, key=_order)
        finished: List[Tuple[Node, Sequence[Route]]] = [] if tasks else [(self.plan.start, ())]
        written: List[Tuple[str, Writes]] = []
        for task in tasks:
            did = self._done.get(task.id)
            if did is not None:
                finished.append((task.node, did.routes))
            else:
                # One that has failed and was handled leads nowhere, and has written something only if it was its
                # branch that failed; its handler is a task of the step as well.
                did = self._shown.get(task.id)
            if did is not None:
                written.append((task.name, did.stored or did.writes))
        try:
            if self.frontier.step == 0:
                fresh = self._fresh_input
            else:
                fresh = self.state.fold(written, at=(self.frontier.step, self.ns))
            self.state.store(fresh)
            ran = {task.name for task in tasks} if self.frontier.joined else _NONE
            self.frontier.advance(self.plan, finished, ran)
        except Exception as error:
            return [Fail(error)]
        self._fresh_input = {}
        return [*self._parts.values(self.state, fresh), *self._open_step()]

    def _open_step(self) -> List[Effect]:
        frontier = self.frontier
        if not frontier.due and not frontier.sends:
            return [Finish(self.output())]
        if frontier.step >= self.limit:
            names = sorted({*frontier.due, *(send.node for send in frontier.sends)})
            return [
                Fail(
                    GraphRecursionError(
                        f"Recursion limit of {self.limit} reached without hitting a stop condition; "
                        f"still to run: {', '.join(map(repr, names[:5]))}",
                        step=frontier.step,
                        hint="If the graph needs more steps, raise it with the config key recursion_limit.",
                    )
                )
            ]
        try:
            if self._control is not None:
                # Before anything is begun: the frontier stays what it was after the last step, and could be saved.
                self._control.check()
            frontier.step += 1
            self._done.clear()
            self._shown.clear()
            self.tasks = self._plan_tasks()
        except Exception as error:
            return [Fail(error)]
        commands: List[Effect] = []
        if self._parts.shows_starts:
            for task in self.tasks:
                commands += self._parts.started(task)
        self._waiting.extend(self.tasks)
        return commands + self._start_waiting()

    def _plan_tasks(self) -> List[Task]:
        frontier, nodes, step = self.frontier, self.plan.nodes, self.frontier.step
        tasks: List[Task] = []
        for index, send in enumerate(frontier.sends):
            tasks.append(self._sent(send, index))
        for name in sorted(frontier.due) if len(frontier.due) > 1 else frontier.due:
            node = nodes[name]
            try:
                seen = self.state.read(node.reader, step, self.limit)
            except Exception as error:
                locate(error, ErrorLocation(name, step, self.ns))
                raise
            tasks.append(Task(task_id(self._seed, step, name, -1), node, step, seen, node.triggers, -1))
        return tasks

    def _sent(self, send: Send, index: int) -> Task:
        step, name = self.frontier.step, send.node
        task = Task(
            task_id(self._seed, step, name, index),
            self.plan.nodes[name],
            step,
            copy_containers(send.arg),
            (PUSH,),
            index,
        )
        if send.timeout is not None:
            task.timeout = timeout_policy(send.timeout)
        return task

    def _start_waiting(self) -> List[Effect]:
        commands: List[Effect] = []
        alone = len(self.tasks) == 1
        while self._waiting and (self._concurrency is None or len(self._running) < self._concurrency):
            task = self._waiting.popleft()
            self._running[task.id] = task
            commands.append(StartTask(task, alone))
        return commands

    def output(self) -> Any:
        """Return the state as `invoke` returns it, or `None` if nothing was ever written."""
        if not self.state.written:
            return None
        if isinstance(self._output, str):
            return self.state.snapshot([self._output]).get(self._output)
        return root_or_mapping(self.state, self._output)


def _order(task: Task) -> tuple:  # type: ignore[type-arg]
    return task.order
