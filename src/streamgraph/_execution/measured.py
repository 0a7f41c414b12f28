"""The session of a run that is reported to OpenTelemetry."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from langchain_core.callbacks import BaseCallbackManager

from streamgraph._core.effects import Effect, Note, Save
from streamgraph._core.events import Event, TaskDone, TaskFailed
from streamgraph._core.results import TaskResult
from streamgraph._core.run import Run
from streamgraph._core.task import Task
from streamgraph._execution.session import GraphSession
from streamgraph._interrupts import Interrupt
from streamgraph._langchain.run_config import RunConfig
from streamgraph._langchain.scope import Scope
from streamgraph._langchain.traces import Trace
from streamgraph._peers import passes_through
from streamgraph._protocols import TaskRun, Work
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.router import Router
from streamgraph._telemetry.calls import CallHandler
from streamgraph._telemetry.instruments import Telemetry
from streamgraph._telemetry.runs import Attributes, RunRecord, TaskRecord, current_run
from streamgraph._telemetry.spans import Outcome, outcome_of
from streamgraph._telemetry.streams import STREAMS, Place
from streamgraph.errors import GraphInterrupt, ParentCommand

_UNNAMED = "LangGraph"
"""The name of graphs that were given none, which is what traces call them."""


class MeasuredSession(GraphSession):
    """A session that reports its run and tasks.

    Runs that are not reported have plain sessions, so that they do not ask at each step whether they are.

    Args:
        telemetry: Where it is reported.
        run: The state machine.
        router: Routes its parts.
        config: The config of the run.
        backend: The driver's inbox, whose length is measured.
        **kwargs: The other arguments of a session.
    """

    _not_inherited = (*GraphSession._not_inherited, CallHandler)

    place: Place = "stream"

    def __init__(
        self, telemetry: Telemetry, run: Run, router: Router, config: RunConfig, backend: Any, **kwargs: Any
    ) -> None:
        super().__init__(run, router, config, backend, **kwargs)
        self._inbox = backend.inbox
        self._record = RunRecord(
            telemetry,
            _name(run, config),
            run.ns,
            _ids(run, config),
            config.configurable.get("thread_id"),
            None if self._scope is None else current_run.get(),
            _outcome,
        )
        self._task_records: Dict[str, TaskRecord] = {}
        if self._live is not None:
            self._live.on_question = self._asked

    def waiting(self) -> int:
        """Return how many parts wait in the inbox for the consumer."""
        parts: int = self._inbox.parts
        return parts

    def opening(self, loop: Optional[object] = None) -> Work[List[Effect]]:
        """Begin the run, and its span."""
        self._record.begin()
        STREAMS.opened(self)
        return (yield from super().opening(loop))

    def closing(self, error: Optional[BaseException], unsaved: Sequence[Union[Note, Save]] = ()) -> Work[None]:
        """End the run, and its span."""
        try:
            yield from super().closing(error, unsaved)
        finally:
            STREAMS.left(self)
            outcome = _outcome(error)
            run = self.run
            if outcome == "done" and error is None and (run.paused or run.frontier.due or run.frontier.sends):
                outcome = "interrupted"
            self._record.end(outcome, error)

    def job(self, task: Task) -> TaskRun:
        """Return the task run of a task."""
        self._record.starts(task.step)
        return super().job(task)

    def work(self, task: Task, stop: CancelToken, parent: Optional[Scope]) -> Work[Event]:
        """Return all the work of a task, in its span."""
        node = task.node
        if node.action is None:  # the branches of the start
            self._record.enter()
            return (yield from super().work(task, stop, parent))
        called = node.kind == "task"
        ids: Attributes = {"streamgraph.step": task.step, "streamgraph.task.id": task.id}
        record = self._record.task(task.name, "task" if called else "node", ids, called=called)
        self._task_records[task.id] = record
        event: Optional[Event] = None
        try:
            event = yield from super().work(task, stop, parent)
        finally:
            del self._task_records[task.id]
            _end(record, event)
        return event

    def _asked(self, task: Task, question: Interrupt, waits: bool) -> None:
        record = self._task_records.get(task.id)
        if record is not None:
            record.asked(question) if waits else record.answered(question)

    def _attempt(
        self,
        task: Task,
        parent: Optional[Scope],
        callbacks: BaseCallbackManager,
        trace: Optional[Trace],
        stop: CancelToken,
        number: int = 1,
        began: Optional[float] = None,
    ) -> Work[Tuple[Any, TaskResult]]:
        """Run a node once; further attempts, and failures, are events of its span."""
        record = self._task_records.get(task.id)
        if record is not None and number > 1:
            record.retried(number)
        try:
            return (yield from super()._attempt(task, parent, callbacks, trace, stop, number, began))
        except Exception as error:
            if record is not None and _outcome(error) == "failed":
                record.attempt_failed(error, number)
            raise


def _name(run: Run, config: RunConfig) -> str:
    """Return the name of a graph, or under which a server knows it; of a workflow that of its function.

    It is not the name of the run, of which there may be as many as there are runs.
    """
    plan = run.plan
    if plan.start.kind != "node":
        return plan.start.name
    served = config.metadata.get("graph_id")
    return str(served) if plan.name == _UNNAMED and served and not run.ns else plan.name


def _ids(run: Run, config: RunConfig) -> Attributes:
    """Return the attributes of the run alone: its id and name, if the user has given it any."""
    ids: Attributes = {}
    if config.run_id is not None:
        ids["streamgraph.run.id"] = str(config.run_id)
    if config.name is not None and config.name != run.plan.name:
        ids["streamgraph.run.name"] = config.name
    return ids


def _outcome(error: Optional[BaseException]) -> Outcome:
    """Return how something has ended that has raised `error`: signals, LangGraph's too, are no failures."""
    if isinstance(error, ParentCommand):
        return "done"
    return "interrupted" if error is not None and passes_through(error) else outcome_of(error)


def _end(record: TaskRecord, event: Optional[Event]) -> None:
    """End the record of a task; without an event it was given up."""
    if event is None:
        record.end("cancelled", None)
    elif isinstance(event, TaskDone):
        record.end("done", None, cached=event.cached)
    elif isinstance(event, TaskFailed):
        record.end(_outcome(event.error), event.error)
    else:
        if isinstance(event.signal, GraphInterrupt):
            for question in event.signal.interrupts:
                record.asked(question)
        record.end(_outcome(event.signal), None)
