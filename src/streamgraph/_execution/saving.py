"""How a run is saved: where it begins, and what it stores on its way."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple, Type, Union

from streamgraph._checkpoint.channels import gone_nodes
from streamgraph._checkpoint.durability import Keeper, keeper
from streamgraph._checkpoint.occupancy import Occupancy
from streamgraph._checkpoint.reading import Loaded
from streamgraph._checkpoint.saver import Saver
from streamgraph._checkpoint.thread import SavedThread
from streamgraph._checkpoint.time_travel import TimeTravel
from streamgraph._core.answers import answers_of, asks_other, empty_command, is_by_id
from streamgraph._core.effects import Effect, Note, Save
from streamgraph._core.record import UNSET, Known, KnownTasks, Record
from streamgraph._core.results import TaskResult, check_no_workflow
from streamgraph._core.saved_run import SavedRun
from streamgraph._core.state import Writes
from streamgraph._core.task import Task
from streamgraph._execution.finished_calls import FinishedCalls
from streamgraph._messages.matching import storable_writes
from streamgraph._protocols import Backend, Work
from streamgraph._types import Command, Durability, Storage
from streamgraph.errors import EmptyInputError, UnknownCheckpointError, UnknownInterruptError, UnknownNodeError


class Saving:
    """Loads and stores one run.

    Args:
        saved: The run's part of the thread.
        saver: The saver, for nested runs.
        durability: When it is stored, also for nested runs.
        backend: Starts what stores beside the run.
        writes_of: Reads an input that was stored before it was applied.
        outer: How the run around it is saved.
        remembers: The graph keeps its state from one task to the next.
        continues: The task that it is nested in had begun before, so that this run goes on if it had begun as well.
        occupancy: The claim of a root run on its thread.
        storage: How keys with a reducer are stored, for nested runs that do not say.
        travel: Where nested runs continue from, if the root run was asked for an earlier checkpoint.

    Attributes:
        run_type: The class of its run.
        answers: The answers with which it is continued, by the ids of the questions.
        waits: The run goes on while its questions wait for answers.
        resumed: The number of the step that had begun before, if the run continues one.
        known: What is known of the tasks of that step.
        keep: Stores something that the run says, as work.
        finished_calls: The tool calls that have finished in tasks that ask.
    """

    run_type: Type[SavedRun] = SavedRun

    def __init__(
        self,
        saved: SavedThread,
        saver: Saver,
        durability: Durability,
        backend: Backend,
        writes_of: Callable[[Any], Writes],
        outer: Optional[Saving] = None,
        remembers: bool = False,
        continues: bool = False,
        occupancy: Optional[Occupancy] = None,
        storage: Storage = "full",
        travel: Optional[TimeTravel] = None,
    ) -> None:
        self.saved = saved
        self.saver = saver
        self.durability: Durability = durability
        self.storage: Storage = storage
        self.travel = travel
        self.resumed: Optional[int] = None
        self.known: KnownTasks = {}
        self.answers: Mapping[str, object] = {}
        self.waits = False
        self._keeper: Keeper = keeper(durability, saved, backend, None if outer is None else outer._keeper)
        self._writes_of = writes_of
        self._outer = outer
        self._remembers = remembers
        self._carried: Optional[object] = None
        self._continues = continues
        self._occupancy = occupancy
        self.keep: Callable[[Union[Note, Save]], Work[None]] = self._keeper.keep
        self._failure: Optional[Exception] = None
        self.finished_calls = FinishedCalls(saved, backend, self._keep_call, self._result_of, self._fail)

    def begin(self, run: SavedRun, given: Any, writes: Writes) -> Work[List[Effect]]:
        """Load the thread, and return the first effects of the run.

        Args:
            run: The run.
            given: The input; `None` to continue.
            writes: The input as writes.

        Raises:
            EmptyInputError: There is no input, and the thread is empty.
            UnknownCheckpointError: The thread does not have the checkpoint that was asked for.
        """
        if self._occupancy is not None:
            yield from self._occupancy.enter()
        if self.saved.stores_writes:
            run.prepare = partial(storable_writes, run.plan)
        command = isinstance(given, Command)
        loaded = yield from self.saved.load()
        if loaded is None:
            self._check_asked()
            if command and given.resume is not None:
                raise UnknownInterruptError(
                    "There is nothing to answer: the thread is empty",
                    reason="not_pending",
                    interrupt_ids=tuple(given.resume) if is_by_id(given.resume) else (),
                )
            if given is None:
                raise EmptyInputError(
                    "Received no input for __start__, and there is nothing to continue: the thread is empty",
                    hint="Start the thread with an input; None continues one that was interrupted.",
                )
            return run.begin(writes, dict(writes) if command else given)
        known = self._load(run, loaded, given)
        self._answer(run, loaded.record, known, given)
        run.answers, run.asks_again = self.answers or None, self.waits
        if command:
            check_no_workflow(run.plan, given)
            if run.plan.start.kind == "entrypoint":
                writes = ()  # where an input is one value, that was the command
            if given.resume is None and not given.goto and not writes:
                raise empty_command(known)
        if given is not None and not command and not self._goes_on():
            return run.begin(writes, given)
        self._check_nodes(run, loaded.record)
        self.known = known
        stored = loaded.record.given
        commanded = run.command(writes, run.take_entry() if stored is UNSET else ()) if command else []
        if self._forks(loaded.record, command=command):
            commanded = []  # the fork has what the command has changed
            renamed = run.fork(stored, self._carried)
            if self._carried is not None:
                self.known = {}
            if self.travel is not None:
                self.travel.rename(run.ns, renamed)
        self.resumed = run.frontier.step + 1
        return [*commanded, *(run.resume() if stored is UNSET else run.restart(self._writes_of(stored), stored))]

    def _load(self, run: SavedRun, loaded: Loaded, given: Any) -> KnownTasks:
        """Let a run take over what was loaded, and return what counts of what is known of the tasks after it.

        Args:
            run: The run.
            loaded: What was loaded.
            given: The input.
        """
        saved, command = self.saved, isinstance(given, Command)
        resume = given.resume if command else None
        answers = resume is not None or (self._outer is not None and bool(self._outer.answers))
        if saved.origin == "last" or (saved.origin != "before" and not saved.superseded and (command or answers)):
            return run.load(*loaded)
        if resume is not None and run.load(*loaded) and run.has_asked(loaded.known, resume):
            self._carried = resume
            return loaded.known
        known = run.load(*loaded._replace(known={}))
        if answers and saved.origin != "before":  # the questions are asked once more, and nothing else is known
            known.update(run.asked_again(loaded.known))
        return known

    def _answer(self, run: SavedRun, record: Record, known: KnownTasks, given: Any) -> None:
        """Find out what is answered, and let nested runs go back to where they were at a checkpoint that was asked for.

        Args:
            run: The run.
            record: What was loaded.
            known: What is known of the tasks after it.
            given: The input.
        """
        saved, travel = self.saved, self.travel
        if self._outer is not None:
            self.answers = self._outer.answers
            if saved.origin == "asked" and len(self.answers) == 1 and asks_other(known, self.answers):
                # The config names the checkpoint of this graph: its question is meant.
                self.answers = answers_of(next(iter(self.answers.values())), known)
            return
        resumes = isinstance(given, Command) and given.resume is not None
        if resumes and self._carried is None:
            self.answers = answers_of(given.resume, known, at_breakpoint=run.pauses_at_nodes())
        if travel is None or saved.origin != "asked":
            return
        if resumes:
            travel.answered = self.answers.keys() if saved.superseded else frozenset()
        else:
            # An update was stored after the nested runs of the step had begun.
            travel.before = saved.parent if record.source in ("update", "fork") and saved.parent else saved.asked

    def _forks(self, record: Record, *, command: bool) -> bool:
        """Return whether the run begins with a copy of the checkpoint, so that what comes after it keeps its own.

        A copy that `update_state` has made, and after which nothing came, needs no other one.
        """
        saved = self.saved
        if self._carried is not None:
            return True
        if saved.origin != "asked" or (self.answers and saved.stored_here) or (command and not saved.superseded):
            return False
        return saved.superseded or record.source not in ("update", "fork")

    def _check_asked(self) -> None:
        """Raise an error if a checkpoint was asked for, which is not there."""
        if self.saved.asked is not None:
            raise UnknownCheckpointError(self.saved.thread_id, self.saved.asked)

    def _goes_on(self) -> bool:
        """Return whether the run continues since the run around it does, although it is given an input."""
        saved = self.saved
        if not self._continues or saved.origin == "before":
            return False
        return saved.origin != "last" or not self._remembers or saved.is_of_this_step

    def _check_nodes(self, run: SavedRun, record: Record) -> None:
        """Raise an error if a node is due that the graph does not have."""
        nodes = run.plan.nodes
        for name in (*gone_nodes(record.others), *(send.node for send in record.frontier.sends)):
            if name not in nodes:
                raise UnknownNodeError(
                    f"Thread {self.saved.thread_id!r} is to go on with node {name!r}, which the graph does not have",
                    name=name,
                    known=nodes,
                    hint="Give the node its old name, or say what is next with update_state(..., as_node=...).",
                )

    def called(self, caller: Task, ns: Tuple[str, ...], name: str, number: int) -> Tuple[str, Optional[Known]]:
        """Return the id of a `@task` that is called in a task, and what is known of it if it had begun before.

        Args:
            caller: The calling task.
            ns: The namespace of graphs that run in the calling task.
            name: The name of the `@task`.
            number: The number of earlier calls in the calling task.
        """
        id_ = self.saved.called(caller, ns, name, number)
        return id_, self.known.get(id_) if self.resumed is not None else None

    def finished_values(self) -> List[object]:
        """Return what the tasks have written that had finished before the run went on."""
        results = [known.result for known in self.known.values() if known.result is not None]
        return [value for result in results for _, value in result.writes]

    def _result_of(self, task: str) -> Optional[TaskResult]:
        known = self.known.get(task) if self.resumed is not None else None
        return None if known is None else known.result

    def _keep_call(self, note: Note) -> Work[None]:
        return self.keep(note)

    def _fail(self, error: Exception) -> None:
        """Let the run end with an error at its end, or at the next thing that it has to store."""
        self._failure, self.keep = error, self._refuse

    def _refuse(self, effect: Union[Note, Save]) -> Work[None]:
        yield from ()  # nothing is called any more
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def flushed(self) -> Work[None]:
        """Wait until what the run has said so far is stored."""
        return self._keeper.flushed()

    def settle(self, effects: Sequence[Union[Note, Save]], *, early: bool) -> Work[None]:
        """Store the rest at the end of the run."""
        try:
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
            yield from self._keeper.settle(effects, early=early)
        finally:
            if self._occupancy is not None:
                self._occupancy.leave()
