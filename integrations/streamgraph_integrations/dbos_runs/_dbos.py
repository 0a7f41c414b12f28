"""DBOS, as far as it is used here: no other module knows it, or what it stores."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime
from typing import Any, Awaitable, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Union

try:
    from dbos import DBOS, DBOSClient
except ImportError as error:
    raise ImportError('Queued runs need dbos: with Python 3.10 or later, pip install "streamgraph[dbos]"') from error

from streamgraph_integrations.dbos_runs._queues import RunQueue

_APPLICATION = "streamgraph"
_VERSION = "streamgraph-1"
"""The version of what a workflow does with its text: DBOS gives runs of another version to no worker of this one."""

_RUN, _SCHEDULED = "streamgraph.run", "streamgraph.scheduled"

_MOST_STARTS = 20
"""How often a run is started at most: one that ends its process each time is given up at some point."""

_ACTIVE = ("DELAYED", "ENQUEUED", "PENDING")


class Row(NamedTuple):
    """What DBOS knows of a run.

    Attributes:
        id: The id of the run.
        status: The status of the workflow.
        queue: Its queue.
        attributes: What was noted when it was enqueued.
        result: How the run has ended, if the workflow has returned that.
        error: The error with which the workflow has ended.
        created: When it was enqueued, in milliseconds since 1970.
        priority: Its priority.
    """

    id: str
    status: str
    queue: str
    attributes: Mapping[str, object]
    result: Optional[str]
    error: Optional[BaseException]
    created: int
    priority: int

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.status in _ACTIVE


class Request(NamedTuple):
    """A run that is to be enqueued.

    Attributes:
        id: The id of the run; one that is there already is left as it is.
        text: What is to run.
        queue: The name of the queue.
        partition: In a queue with partitions, one run of each goes on at a time.
        priority: The lower, the sooner.
        delay: Seconds after which it may begin.
        attributes: What can be asked for when runs are listed.
    """

    id: str
    text: str
    queue: str
    partition: Optional[str] = None
    priority: Optional[int] = None
    delay: Optional[float] = None
    attributes: Mapping[str, object] = {}


class Schedule(NamedTuple):
    """A schedule of runs.

    Attributes:
        name: Its name.
        cron: When it starts a run.
        text: What is to be enqueued then.
    """

    name: str
    cron: str
    text: str


class Database:
    """The database of DBOS, for processes that run nothing; from any thread.

    Args:
        url: The address of the database.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.Lock()
        self._opened: Optional[Any] = None

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._opened is None:
                DBOS.migrate(self.url)
                self._opened = DBOSClient(system_database_url=self.url, application_name=_APPLICATION)
            return self._opened

    def set_up(self) -> None:
        """Make or renew the tables."""
        _ = self._client

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._opened is not None:
                self._opened.destroy()
                self._opened = None

    def enqueue(self, request: Request) -> None:
        """Enqueue a run, unless there is one of this id."""
        options: Dict[str, object] = {
            "workflow_name": _RUN,
            "workflow_id": request.id,
            "queue_name": request.queue,
            "app_version": _VERSION,
            "attributes": dict(request.attributes),
            "queue_partition_key": request.partition,
            "priority": request.priority,
            "delay_seconds": request.delay,
        }
        self._client.enqueue({key: value for key, value in options.items() if value is not None}, request.text)

    def find(self, run_id: str) -> Optional[Row]:
        """Return what is known of a run; `None` if there is none."""
        rows = self._rows(workflow_ids=[run_id])
        return rows[0] if rows else None

    def list(
        self, statuses: Sequence[str], queue: Optional[str], attributes: Mapping[str, object], limit: int
    ) -> List[Row]:
        """Return runs, the latest first.

        Args:
            statuses: Their statuses; none for all.
            queue: Their queue; `None` for all.
            attributes: What must have been noted of them.
            limit: The most that are returned.
        """
        return self._rows(
            name=_RUN,
            status=list(statuses) or None,
            queue_name=queue,
            attributes=dict(attributes) or None,
            limit=limit,
            sort_desc=True,
        )

    def dead_letters(self) -> List[Row]:
        """Return the runs that have ended their workers so often that they are not started again."""
        return self._rows(name=_RUN, status="MAX_RECOVERY_ATTEMPTS_EXCEEDED", limit=100)

    def pending_executors(self) -> Set[str]:
        """Return the ids of the workers that have runs."""
        rows = self._client.list_workflows(
            name=[_RUN, _SCHEDULED], status="PENDING", load_input=False, load_output=False
        )
        return {row.executor_id for row in rows}

    def cancel(self, run_id: str) -> None:
        """Take a run out of its queue."""
        self._client.cancel_workflow(run_id)

    def note(self, run_id: str, attributes: Mapping[str, object]) -> None:
        """Note something of a run, beside what was noted before."""
        self._client.update_workflow_attributes(run_id, dict(attributes), merge=True)

    def schedule(self, schedule: Schedule, timezone: Optional[str]) -> None:
        """Make a schedule, or renew the one of this name."""
        item = {
            "schedule_name": schedule.name,
            "workflow_name": _SCHEDULED,
            "schedule": schedule.cron,
            "context": [schedule.name, schedule.text],
            "cron_timezone": timezone,
        }
        self._client.apply_schedules([item])

    def schedules(self) -> List[Schedule]:
        """Return all schedules."""
        found = self._client.list_schedules()
        return [
            Schedule(item["schedule_name"], item["schedule"], item["context"][1])
            for item in found
            if item["workflow_name"] == _SCHEDULED
        ]

    def unschedule(self, name: str) -> None:
        """End a schedule."""
        self._client.delete_schedule(name)

    def _rows(self, **wanted: object) -> List[Row]:
        return [
            Row(
                found.workflow_id,
                found.status,
                found.queue_name or "",
                found.attributes or {},
                found.output if isinstance(found.output, str) else None,
                found.error,
                found.created_at or 0,
                found.priority or 0,
            )
            for found in self._client.list_workflows(load_input=False, **wanted)
        ]


Before = Union[str, Exception]
"""What was found before the first attempt of a run, or why that could not be found."""


class Executor:
    """The worker of this process, as DBOS knows it. There can be one.

    Args:
        url: The address of the database.
        id: The id of the worker, which no other one has had.
        queues: The queues, which are made or renewed.
        listens: The names of the queues from which it takes runs.
        before: Finds out where a run begins; it gets its id and the text. What it returns is stored, so that it is
            called for the first attempt only.
        run: Runs one: it gets its id, the text, and what `before` has returned then, and returns how it has ended.
        enqueue: Enqueues the run of a schedule: it gets the name of the schedule, the text and the time.
    """

    def __init__(
        self,
        url: str,
        id: str,  # noqa: A002  (what it is)
        queues: Sequence[RunQueue],
        listens: Sequence[str],
        before: Callable[[str, str], Awaitable[str]],
        run: Callable[[str, str, Before], Awaitable[str]],
        enqueue: Callable[[str, str, datetime], None],
    ) -> None:
        self.id = id
        self.before = before
        self.run = run
        self.enqueue = enqueue
        self._url = url
        self._queues = queues
        self._listens = listens

    def launch(self) -> None:
        """Begin to take runs.

        Raises:
            RuntimeError: The process has a worker already.
        """
        global _executor
        with _launching:
            if _executor is not None:
                raise RuntimeError("This process has a worker of queued runs already")
            _executor = self
        try:
            DBOS(
                config={
                    "name": _APPLICATION,
                    "system_database_url": self._url,
                    "executor_id": self.id,
                    "application_version": _VERSION,
                    "log_level": "WARNING",
                }
            )
            DBOS.listen_queues(list(self._listens))
            DBOS.launch()
            for queue in self._queues:
                DBOS.register_queue(
                    queue.name,
                    worker_concurrency=queue.worker_concurrency,
                    global_concurrency=queue.concurrency,
                    partition_concurrency=None if queue.prioritized else 1,
                    limiter=None if queue.rate is None else {"limit": queue.rate[0], "period": queue.rate[1]},
                    polling_interval_sec=queue.poll,
                    on_conflict="always_update",
                )
        except BaseException:
            self.destroy(0)
            raise

    def destroy(self, seconds: int) -> None:
        """Take no more runs, wait for those that go on, and leave the database.

        Args:
            seconds: The longest wait for runs.
        """
        global _executor
        DBOS.destroy(workflow_completion_timeout_sec=seconds)
        with _launching:
            _executor = None

    def recover(self, executors: Sequence[str]) -> None:
        """Put the runs of workers back in their queues, each unless another worker has it.

        There is no public name for this condition: `resume_workflow` would also take a run from a living worker.

        Args:
            executors: The ids of the workers.
        """
        DBOS._recover_pending_workflows(list(executors))


_launching = threading.Lock()
_executor: Optional[Executor] = None


_TRIES = {"name": "before", "retries_allowed": True, "max_attempts": 3, "interval_seconds": 0.5}


@DBOS.workflow(name=_RUN, max_recovery_attempts=_MOST_STARTS)  # type: ignore[untyped-decorator, unused-ignore]
async def _run(text: str) -> str:
    executor, run_id = _executor, str(DBOS.workflow_id)
    assert executor is not None
    before: Before
    try:
        before = await DBOS.run_step_async(_TRIES, executor.before, run_id, text)
    except Exception as error:  # its readers are to hear of it
        before = error
    return await executor.run(run_id, text, before)


@DBOS.workflow(name=_SCHEDULED)  # type: ignore[untyped-decorator, unused-ignore]
async def _scheduled(time: datetime, context: List[str]) -> None:
    assert _executor is not None
    name, text = context
    # Doing it again does nothing, so that it need not be a step.
    await asyncio.get_running_loop().run_in_executor(None, _executor.enqueue, name, text, time)
