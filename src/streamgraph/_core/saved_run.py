"""The state machine of a run that is saved: it says what to store, and continues from what was stored."""

from __future__ import annotations

from typing import AbstractSet, Any, Callable, FrozenSet, List, Mapping, Optional, Sequence, Tuple

from streamgraph._core.answers import reopened, still_asks, take_answers
from streamgraph._core.effects import Effect, Fail, Note, Save
from streamgraph._core.events import Event, TaskDone, TaskFailed
from streamgraph._core.forks import carried_over, is_own
from streamgraph._core.frontier import Frontier
from streamgraph._core.handlers import found_of, with_handlers
from streamgraph._core.ids import TaskIds
from streamgraph._core.plan import Node
from streamgraph._core.record import UNSET, DueTask, Known, KnownTasks, Record, Recorder
from streamgraph._core.results import Route, TaskResult
from streamgraph._core.run import Run
from streamgraph._core.state import State, Writes
from streamgraph._core.task import NO_TASK, Task
from streamgraph._interrupts import Interrupt
from streamgraph._locations import locate
from streamgraph._types import Send
from streamgraph.constants import START
from streamgraph.errors import ErrorLocation, is_invalid_resume

BEFORE_FIRST = -2
"""The step of a run that has no record yet: the first record, that of its input, is step -1."""


_UNKNOWN = Known()

_COMMAND = Node(START)
"""Stands for the command that continues a run, where a node's result is stored."""


class SavedRun(Run):
    """A run that is saved.

    All notes of a step come before its record, and a record comes before the `values` after its step.

    Args:
        *args: See `Run`.
        recorder: Identifies the records.
        **options: See `Run`.

    Attributes:
        answers: The answers that the run is continued with, by the ids of the questions; `None` if without any.
        asks_again: Tasks whose questions are not answered run again too: the run waits for the answers.
        prepare: Returns writes as they are stored, if what is written is stored in place of values: what is noted
            must be what is folded. The input is then noted as well.
    """

    saves = True

    def __init__(self, *args: Any, recorder: Recorder, **options: Any) -> None:
        super().__init__(*args, **options)
        self.frontier = Frontier(BEFORE_FIRST)
        self._recorder = recorder
        self._known: KnownTasks = {}
        self.answers: Optional[Mapping[str, object]] = None
        self.asks_again = False
        self.prepare: Optional[Callable[[Writes], Writes]] = None
        self._input_noted = False
        self._forked: List[Effect] = []
        # What is known is that of another record, of which this run is a fork.
        self._carries = False
        # What a command has changed, until it is stored.
        self._changed: AbstractSet[str] = frozenset()

    def feed(self, event: Event) -> List[Effect]:
        """Process an event and return the next effects; see `Run`."""
        if self.prepare is not None and isinstance(event, TaskDone) and event.outcome.stored is None:
            try:
                outcome = event.outcome._replace(stored=tuple(self.prepare(event.outcome.writes)))
            except Exception:
                return super().feed(event)  # it is raised again, with its place, when the writes are folded
            event = TaskDone(event.task, outcome, cached=event.cached)
        return super().feed(event)

    def load(self, record: Record, known: KnownTasks, ids: TaskIds, commanded: Writes = ()) -> KnownTasks:
        """Take over a record, and return what is known.

        Args:
            record: The record.
            known: What is known of tasks of the step after it.
            ids: The ids of these tasks.
            commanded: What commands have written to the state after the record.
        """
        self.state = State(self.plan, record.values)
        self.state.replay(commanded)
        self._changed = frozenset(key for key, _ in commanded)
        self._shown_objects = self.state.object_values()
        self._answered = True
        self.frontier = record.frontier.copy()
        self._known, self._ids = known, ids
        return known

    def asked_again(self, known: KnownTasks) -> KnownTasks:
        """Return what is known of the tasks that have asked, as it was when their last questions were open.

        Args:
            known: What has become of them since.
        """
        names = dict([*self._due(), *self._entering()])
        asked = {id_: about for id_, about in known.items() if about.questions and id_ in names}
        return {id_: reopened(about, "|".join((*self.ns, f"{names[id_]}:{id_}"))) for id_, about in asked.items()}

    def pauses_at_nodes(self) -> bool:
        """Return whether the thread may be paused at a breakpoint, of this graph or of a nested one."""
        frontier = self.frontier
        due = bool(frontier.due or frontier.sends)
        return due and (self._breakpoints is not None or any(known == _UNKNOWN for known in self._known.values()))

    def has_asked(self, known: KnownTasks, resume: object) -> bool:
        """Return whether answers are for tasks of this graph themselves, and not for graphs in them.

        Args:
            known: What is known of the tasks.
            resume: The answer to the one question, or answers by id.
        """
        return is_own(known, [*self._due(), *self._entering()], self.ns, resume)

    def begin(self, writes: Writes, given: object) -> List[Effect]:
        """Begin with an input, which replaces what was due.

        What tasks had written before their step was interrupted is kept, as LangGraph does.

        Args:
            writes: The input as writes to state keys; that of a workflow is one value.
            given: The input in the form in which it is stored.
        """
        try:
            changed = self._take_results() | self._changed
            if self.prepare is not None:
                writes = self.prepare(writes)
        except Exception as error:
            return [Fail(error)]
        self._changed = frozenset()
        self._answered = not self.plan.started_by
        step = self.frontier.step + 1
        self.frontier = Frontier(step)
        saved = self._recorded(Record(step, "input", self.state.saved(), Frontier(step), changed, given))
        return [*saved, *self._told(given), *self._noted_input(writes), *self.start(writes)]

    def _noted_input(self, writes: Writes) -> List[Effect]:
        start = self.plan.start
        self._input_noted = self.prepare is not None and start.action is None and not self.plan.started_by
        if not self._input_noted:
            return []
        step = self.frontier.step + 1
        id_ = self._ids.by_edge(step, start.name, start.triggers)
        return [Note(Task(id_, start, step, None, start.triggers, -1), TaskResult(tuple(writes)))]

    def restart(self, writes: Writes, given: object) -> List[Effect]:
        """Begin with an input that was stored before, and shows again what was known then.

        Args:
            writes: The input as writes to state keys.
            given: The input in the form in which it is stored.
        """
        forked = self._take_forked()
        return [*forked, *self._parts.loaded(self.state), *self._told(given), *self.start(writes)]

    def start(self, writes: Writes) -> List[Effect]:
        """Begin with an input that is stored already."""
        self.frontier.step += 1
        self.limit = self.frontier.step + self._steps
        if self.plan.start.kind == "node":
            # What the start writes is the input; but its branches may have asked.
            self._known = {id_: known for id_, known in self._known.items() if known.result is None}
        if self.plan.started_by:
            self._changed = frozenset(key for key, _ in writes)  # there is no record between it and the first step
        return super().start(writes)

    def resume(self) -> List[Effect]:
        """Continue with the step after the record."""
        self.limit = self.frontier.step + self._steps
        forked = self._take_forked()
        return [*forked, *self._parts.loaded(self.state), *self._told(), self._next()]

    def _take_forked(self) -> List[Effect]:
        forked, self._forked = self._forked, []
        return forked

    def command(self, writes: Writes, routes: Sequence[Route] = ()) -> List[Effect]:
        """Change what the run continues with, before `resume` or `restart`.

        Args:
            writes: An update as writes to state keys.
            routes: What shall run beside what is due.
        """
        if self.prepare is not None:
            writes = self.prepare(writes)
        fresh = self.state.fold([(self.plan.start.name, writes)])
        self.state.store(fresh)
        self._changed = self._changed | fresh.keys()
        self.frontier.due.update(route for route in routes if isinstance(route, str))
        self.frontier.sends += tuple([route for route in routes if isinstance(route, Send)])
        changes = TaskResult(tuple(writes), tuple(routes))
        task = Task(NO_TASK, _COMMAND, self.frontier.step + 1, None, (), -1)
        # The step may end with open questions, or not at all, so that no record would have it.
        return [Note(task, changes)] if writes or routes else []

    def fork(self, given: object = UNSET, resume: object = None) -> Mapping[str, str]:
        """Go on from a copy of the record, in which no task has run yet, with `resume` or `start`.

        Args:
            given: The input of the record, if it is to be applied.
            resume: Answers to questions that were asked after the record. What other tasks had finished is kept then.

        Returns:
            The ids of the tasks of the step, by those that they had before.
        """
        known, self._known = self._known, {}
        due = self._due() if given is UNSET else self._entering()
        self.frontier.step += 1
        frontier, values = self.frontier.copy(), self.state.saved()
        self._forked = self._recorded(Record(frontier.step, "fork", values, frontier, self._changed, given=given))
        self._changed = frozenset()
        forked = self._due() if given is UNSET else self._entering()
        if resume is not None:
            self._known, self._carries = carried_over(known, due, forked, self.ns, resume), True
        return {before: now for (before, _), (now, _) in zip(due, forked)}

    def _entering(self) -> List[Tuple[str, str]]:
        start = self.plan.start
        return [(self._ids.by_edge(self.frontier.step + 1, start.name, start.triggers), start.name)]

    def _take_results(self) -> AbstractSet[str]:
        """Apply what tasks of the next step have written already, and return the keys that change."""
        known, self._known = self._known, {}
        ids, nodes, step = self._ids, self.plan.nodes, self.frontier.step + 1
        found = [(name, found_of(ids, step, id_, nodes[name], known)) for id_, name in self._due()] if known else []
        done = [(name, one.result) for name, one in found if one is not None]
        fresh = self.state.fold([(name, result.writes) for name, result in done if result is not None])
        self.state.store(fresh)
        return fresh.keys()

    def _due(self) -> List[Tuple[str, str]]:
        """Return the ids and names of the tasks of the step that is due, in the order of their writes."""
        frontier, nodes, ids = self.frontier, self.plan.nodes, self._ids
        step = frontier.step + 1
        by_edge = [(ids.by_edge(step, name, nodes[name].triggers), name) for name in sorted(frontier.due)]
        return by_edge + [(ids.by_send(step, send.node, at), send.node) for at, send in enumerate(frontier.sends)]

    def _reused(self, tasks: Sequence[Task]) -> List[Effect]:
        effects: List[Effect] = []
        known, self._known = self._known, {}
        if not known:
            return effects
        going, failed = with_handlers(self._ids, tasks, known)
        if failed:
            effects += self._handled(going[len(tasks) - len(failed) :], failed)
        for task in going:
            found = known.get(task.id)
            if found is None:
                continue
            if found.result is not None:
                self._waiting.remove(task)
                self._done[task.id] = found.result
                effects += self._noted(task, found.result) if self._carries else []
                effects += self._parts.finished(task, found.result, cached=True)
            elif not self.asks_again and still_asks(found, self.answers):
                self._waiting.remove(task)
                self.paused = "pending"
                self.interrupts += found.questions
                effects += self._parts.interrupted(task, found.questions)
            else:
                take_answers(task, "|".join((*self.ns, *task.ns_suffix)), found, self.answers)
        return effects

    def _handled(self, handlers: Sequence[Task], failed: Sequence[Task]) -> List[Effect]:
        """Let error handlers start in place of the tasks that had failed before."""
        for task in failed:
            self._waiting.remove(task)
        self._waiting.extend(handlers)
        self.tasks += handlers
        return [part for task in handlers for part in self._parts.started(task)]

    def _failed(self, event: TaskFailed) -> List[Effect]:
        """End the run with a failure.

        One that comes of an answer that does not fit is none of the task: its question stays open, and the tasks beside
        it, which may have been answered as well, finish.
        """
        task, error = event.task, event.error
        if not is_invalid_resume(error):
            return super()._failed(event)
        locate(error, ErrorLocation(task.name, task.step, self.ns))
        self._end = Fail(error)
        self._waiting.clear()
        return [*self._parts.failed(task, error, None), *self._ended()]

    def _noted(
        self,
        task: Task,
        result: Optional[TaskResult],
        error: Optional[BaseException] = None,
        questions: Sequence[Interrupt] = (),
    ) -> List[Effect]:
        of_input = task.node.action is None and result is not None
        return [] if of_input else [Note(task, result, error, questions)]

    def _saved(self, changed: AbstractSet[str], ran: FrozenSet[str]) -> List[Effect]:
        frontier = self.frontier.copy()
        noted = self._is_noted()
        changed, self._changed = changed | self._changed, frozenset()
        record = Record(frontier.step, "loop", self.state.saved(), frontier, changed, ran=ran, noted=noted)
        return self._recorded(record)

    def _is_noted(self) -> bool:
        """Return whether the notes of the step's tasks have all that was written in it."""
        if self._changed:
            return False
        if not self.tasks or self.tasks[0].node is self.plan.start:
            return self._input_noted or bool(self.tasks and self.tasks[0].node.action is not None)
        return not self._shown

    def _told(self, given: object = UNSET) -> List[Effect]:
        parts = self._parts
        if not parts.shows_records:
            return []
        tasks = self._due_in_graph_order() if given is UNSET else self._entering()
        shown = [DueTask(id_, name, self._known.get(id_, _UNKNOWN)) for id_, name in tasks]
        return [*parts.saved(self.state, self._recorder.about_last(), shown, step=self.frontier.step)]

    def _due_in_graph_order(self) -> List[Tuple[str, str]]:
        """Return the ids and names of the tasks of the step that is due, as users see them."""
        due = self._due()
        count, names = len(self.frontier.due), list(self.plan.nodes)
        return due[count:] + sorted(due[:count], key=lambda pair: names.index(pair[1]))

    def _recorded(self, record: Record) -> List[Effect]:
        self._ids = self._recorder.record(record)
        return [Save(record)]
