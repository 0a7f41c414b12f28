"""How a run is saved: where it begins, and what it stores on its way."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple, Type, Union

from streamgraph._checkpoint.channels import gone_nodes
from streamgraph._checkpoint.durability import keeper
from streamgraph._checkpoint.occupancy import Occupancy
from streamgraph._checkpoint.saver import Saver
from streamgraph._checkpoint.thread import SavedThread
from streamgraph._core.answers import answers_of, empty_command, is_by_id
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
        outer: How the run around it is saved. If that one continues, so does this run if it had begun before.
        remembers: The graph keeps its state from one task to the next.
        occupancy: The claim of a root run on its thread.
        storage: How keys with a reducer are stored, for nested runs that do not say.

    Attributes:
        run_type: The class of its run.
        answers: The answers with which it is continued, by the ids of the questions.
        waits: The run goes on while its questions wait for answers.
        resumed: The run continues a step that had begun before.
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
        occupancy: Optional[Occupancy] = None,
        storage: Storage = "full",
    ) -> None:
        self.saved = saved
        self.saver = saver
        self.durability: Durability = durability
        self.storage: Storage = storage
        self.resumed = False
        self._known: KnownTasks = {}
        self.answers: Mapping[str, object] = {}
        self.waits = False
        self._keeper = keeper(durability, saved, backend)
        self._writes_of = writes_of
        self._outer = outer
        self._remembers = remembers
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
        self.saved.replays = self.saved.replays and not command  # what was answered after the checkpoint counts
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
        run.load(*loaded)
        earlier = self.saved.is_earlier
        if self._outer is not None:
            self.answers = self._outer.answers
        elif command and given.resume is not None and not earlier:
            self.answers = answers_of(given.resume, loaded.known, at_breakpoint=run.pauses_at_nodes())
        run.answers, run.asks_again = self.answers or None, self.waits
        if command:
            check_no_workflow(run.plan, given)
            if run.plan.start.kind == "entrypoint":
                writes = ()  # where an input is one value, that was the command
            if given.resume is None and not given.goto and not writes:
                raise empty_command(loaded.known)
        if given is not None and not command and not self._goes_on():
            return run.begin(writes, given)
        self._check_nodes(run, loaded.record)
        self.resumed = True
        self._known = loaded.known
        stored = loaded.record.given
        commanded = run.command(writes, run.take_entry() if stored is UNSET else ()) if command else []
        if self.saved.replays or (command and earlier):
            run.fork(stored, given.resume if command else None)
            commanded, self._known = [], {}  # the fork has what the command has changed
        return [*commanded, *(run.resume() if stored is UNSET else run.restart(self._writes_of(stored), stored))]

    def _check_asked(self) -> None:
        """Raise an error if a checkpoint was asked for, which is not there."""
        if self.saved.asked is not None:
            raise UnknownCheckpointError(self.saved.thread_id, self.saved.asked)

    def _goes_on(self) -> bool:
        """Return whether the run continues since the run around it does, although it is given an input."""
        if self._outer is None or not self._outer.resumed:
            return False
        return not self._remembers or self.saved.is_of_this_step

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
        return id_, self._known.get(id_) if self.resumed else None

    def finished_values(self) -> List[object]:
        """Return what the tasks have written that had finished before the run went on."""
        results = [known.result for known in self._known.values() if known.result is not None]
        return [value for result in results for _, value in result.writes]

    def _result_of(self, task: str) -> Optional[TaskResult]:
        known = self._known.get(task) if self.resumed else None
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
