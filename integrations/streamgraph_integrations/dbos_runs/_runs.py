"""`QueuedRuns`: runs that are asked for here, and go on in worker processes."""

# ruff: noqa: A002  (`input` is the name that the field uses)
from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any, AsyncContextManager, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Union, cast
from uuid import UUID

from langchain_core.runnables import RunnableConfig

from streamgraph.errors import UnknownOptionError
from streamgraph.named import saver_named, store_named
from streamgraph_integrations.dbos_runs._dbos import Database, Request, Schedule
from streamgraph_integrations.dbos_runs._dispatching import QueueDispatcher
from streamgraph_integrations.dbos_runs._ending import Ending
from streamgraph_integrations.dbos_runs._errors import UnknownQueuedRunError
from streamgraph_integrations.dbos_runs._graphs import Graphs, GraphSource
from streamgraph_integrations.dbos_runs._handle import QueuedRun
from streamgraph_integrations.dbos_runs._info import OF_STATUS, RunInfo, Status, info_of
from streamgraph_integrations.dbos_runs._orders import Order, Orders, Seconds, delay_of, make_order, run_id_of
from streamgraph_integrations.dbos_runs._queues import RunQueue
from streamgraph_integrations.dbos_runs._worker import Worker, until_told
from streamgraph_integrations.redis_events import RedisEvents

Source = Union[str, object, Callable[[], AsyncContextManager[object]]]


class QueuedRuns:
    """Runs that are asked for in one process and go on in others: queued, started once, and taken over.

    A run is a workflow of DBOS, kept in PostgreSQL; its events are on Redis, and its state in the saver of its graph.
    A worker that dies is replaced by another one within seconds, which goes on from the last record of the thread, as a
    new attempt of the same run.

    Args:
        graphs: The graphs by name: graphs, places such as `"module:graph"`, or functions that make them. Where no
            worker is, nothing is imported until a run is read.
        database: The address of a PostgreSQL database, in which DBOS keeps its tables.
        events: Where the events are; see `RedisEvents`.
        checkpointer: What saves the threads of graphs that were compiled without a checkpointer: a saver, a name such
            as `"postgres://..."`, or a function that returns an async context manager of one.
        store: The store of graphs that were compiled without one, likewise.
        queues: The queues, with their limits.
        allow: The classes of inputs and contexts that may be sent; see `PartDecoder`.
        lease: Seconds without a sign of life after which the runs of a worker are taken over.

    Raises:
        UnknownOptionError: There is no graph, or two queues have one name.
        ValueError: `lease` is not positive.
    """

    def __init__(
        self,
        graphs: Mapping[str, GraphSource],
        database: str,
        events: RedisEvents,
        *,
        checkpointer: Optional[Source] = None,
        store: Optional[Source] = None,
        queues: Sequence[RunQueue] = (RunQueue(),),
        allow: Iterable[type] = (),
        lease: Seconds = 6.0,
    ) -> None:
        self.lease = lease.total_seconds() if isinstance(lease, timedelta) else float(lease)
        if not self.lease > 0:
            raise ValueError(f"lease must be greater than 0, got {lease!r}")
        self.graphs = Graphs(graphs)
        self.events = events
        self.queues = {queue.name: queue for queue in queues}
        if len(self.queues) != len(queues) or not queues:
            raise UnknownOptionError("Each queue needs a name of its own, and there must be one")
        self.checkpointer = saver_named(checkpointer) if isinstance(checkpointer, str) else checkpointer
        self.store = store_named(store) if isinstance(store, str) else store
        self.database = Database(database)
        self.ending = Ending(self.database, events)
        self.orders = Orders(allow)

    # Asking for runs

    def enqueue(
        self,
        graph: str,
        input: object,
        config: Optional[RunnableConfig] = None,
        *,
        key: Optional[str] = None,
        queue: Optional[str] = None,
        priority: Optional[int] = None,
        delay: Optional[Seconds] = None,
        at: Optional[datetime] = None,
        **options: object,
    ) -> QueuedRun:
        """Put a run into a queue, and return its handle.

        A run that names a thread waits for those of the thread that were enqueued before.

        Args:
            graph: The name of the graph.
            input: The input, or `Command(resume=...)` to answer the question with which an earlier run of the thread
                has ended; plain values, messages, models and dataclasses.
            config: `configurable`, with a `thread_id` for instance, `metadata`, `tags`, `recursion_limit`, and
                `run_id`, which is then the id of the run.
            key: Names this run: if there is one of this key already, that one is returned, whatever has become of it,
                and nothing is started.
            queue: The name of the queue; by default the first one.
            priority: In a queue with priorities: the lowest number begins first.
            delay: Seconds before which it does not begin.
            at: The time before which it does not begin; with a time zone.
            **options: Options of `graph.start`: `context`, `record`, `subgraphs`, `output_keys`, `interrupts`,
                `durability` (by default `"sync"`), `timeout`, `interrupt_before`, `interrupt_after` and filters; and
                `saved=False` for a run without the checkpointer of its graph, which another worker begins from the
                start; `after=[...]` names runs that have to be over before it begins.

        Raises:
            UnknownOptionError: There is no graph or queue of a name, or an option does not fit the queue.
            UnknownKeywordError: There is no such option.
            UnstorableOrderError: Something cannot be sent to another process.
        """
        request = self._request(graph, input, config, key, queue, priority, delay_of(delay, at), options)
        self.database.enqueue(request)
        return QueuedRun(self, request.id, graph)

    async def aenqueue(
        self,
        graph: str,
        input: object,
        config: Optional[RunnableConfig] = None,
        *,
        key: Optional[str] = None,
        queue: Optional[str] = None,
        priority: Optional[int] = None,
        delay: Optional[Seconds] = None,
        at: Optional[datetime] = None,
        **options: object,
    ) -> QueuedRun:
        """Put a run into a queue, and return its handle; see `enqueue`."""
        request = self._request(graph, input, config, key, queue, priority, delay_of(delay, at), options)
        await asyncio.to_thread(self.database.enqueue, request)
        return QueuedRun(self, request.id, graph)

    def _request(
        self,
        graph: str,
        given: object,
        config: Optional[RunnableConfig],
        key: Optional[str],
        queue: Optional[str],
        priority: Optional[int],
        delay: Optional[float],
        options: Mapping[str, object],
    ) -> Request:
        self.graphs.check(graph)
        chosen = self._queue(queue)
        order = make_order(graph, given, config, options)
        if priority is not None and not (chosen.prioritized and 1 <= priority < 2**31):
            raise UnknownOptionError(
                f"The queue {chosen.name!r} has no priority {priority!r}",
                hint="Runs of a thread begin in their order; RunQueue(prioritized=True) has priorities from 1 on.",
            )
        if chosen.prioritized and order.thread_id is not None:
            raise UnknownOptionError(
                f"The queue {chosen.name!r} has priorities, so a run in it cannot wait for others of its thread",
                hint="Leave out thread_id: the run is saved in a thread of its own. Or use another queue.",
            )
        run_id = run_id_of(key, config)
        partition = None if chosen.prioritized else order.thread_id or run_id
        attributes = {"graph": graph, "thread_id": order.thread_id, "record": [*order.record]}
        return Request(run_id, self.orders.write(order), chosen.name, partition, priority, delay, attributes)

    def _queue(self, name: Optional[str]) -> RunQueue:
        if name is None:
            return next(iter(self.queues.values()))
        if name not in self.queues:
            raise UnknownOptionError(f"There is no queue {name!r}", name=name, known=self.queues)
        return self.queues[name]

    # Schedules

    def schedule(
        self,
        name: str,
        cron: str,
        graph: str,
        input: object,
        config: Optional[RunnableConfig] = None,
        *,
        timezone: Optional[str] = None,
        queue: Optional[str] = None,
        priority: Optional[int] = None,
        **options: object,
    ) -> None:
        """Enqueue a run again and again: once at each time, however many workers there are.

        Args:
            name: The name of the schedule; one of this name is replaced.
            cron: The times: minute, hour, day, month and weekday, and before them, if there are six, the second.
            graph: The name of the graph.
            input: The input.
            config: The config.
            timezone: The time zone of the times, such as `"Europe/Berlin"`; by default UTC.
            queue: See `enqueue`.
            priority: See `enqueue`.
            **options: See `enqueue`.

        Raises:
            UnknownOptionError: `cron` or `timezone` is none, or see `enqueue`.
        """
        if "run_id" in (config or {}):
            raise UnknownOptionError("Each run of a schedule has an id of its own", hint="Leave out run_id.")
        request = self._request(graph, input, config, None, queue, priority, None, options)
        order = self.orders.read(request.text)
        packed = Order(graph, order.input, order.config, {"queue": request.queue, "priority": priority, "of": options})
        schedule = Schedule(name, cron, self.orders.write(packed))
        try:
            self.database.schedule(schedule, timezone)
        except Exception as error:
            if type(error).__name__ != "DBOSException":
                raise
            raise UnknownOptionError(f"There is no such schedule: {error}") from error

    async def aschedule(
        self,
        name: str,
        cron: str,
        graph: str,
        input: object,
        config: Optional[RunnableConfig] = None,
        **options: object,
    ) -> None:
        """Enqueue a run again and again; see `schedule`."""
        await asyncio.to_thread(self.schedule, name, cron, graph, input, config, **options)  # type: ignore[arg-type]

    def unschedule(self, name: str) -> None:
        """End a schedule; what it has enqueued stays."""
        self.database.unschedule(name)

    async def aunschedule(self, name: str) -> None:
        """End a schedule; see `unschedule`."""
        await asyncio.to_thread(self.unschedule, name)

    def schedules(self) -> Mapping[str, str]:
        """Return the times of all schedules by their names."""
        return {schedule.name: schedule.cron for schedule in self.database.schedules()}

    def enqueue_scheduled(self, name: str, text: str, time: datetime) -> None:
        """Enqueue the run of a schedule, for its worker.

        Args:
            name: The name of the schedule.
            text: What it enqueues.
            time: The time for which it does.
        """
        order = self.orders.read(text)
        how = order.options
        self.enqueue(
            order.graph,
            order.input,
            cast("RunnableConfig", order.config),
            key=f"{name}@{time.astimezone(timezone.utc).isoformat()}",
            queue=cast("str", how["queue"]),
            priority=cast("Optional[int]", how["priority"]),
            **cast("Dict[str, Any]", how["of"]),
        )

    # Running them

    def worker(self, queues: Sequence[str] = (), *, drain: Seconds = 30.0) -> Worker:
        """Return a worker, which takes runs while it is open, on the event loop that it is opened on.

        ::

            async with runs.worker():
                await asyncio.Event().wait()

        Args:
            queues: The names of the queues from which it takes runs; none for all.
            drain: Seconds that runs get to end when the worker is closed; those that go on then are left to others.

        Raises:
            UnknownOptionError: There is no queue of a name.
        """
        return Worker(self, queues, drain.total_seconds() if isinstance(drain, timedelta) else float(drain))

    def run_worker(self, queues: Sequence[str] = (), *, drain: Seconds = 30.0) -> None:
        """Take runs until the process gets SIGTERM or SIGINT, then let those that go on end; see `worker`.

        Args:
            queues: See `worker`.
            drain: See `worker`.
        """
        asyncio.run(until_told(self.worker(queues, drain=drain)))

    def dispatcher(self, queue: Optional[str] = None) -> QueueDispatcher:
        """Return what puts the runs of a server into a queue: `serve(..., events=events, dispatcher=...)`.

        Args:
            queue: The name of the queue; by default the first one.

        Raises:
            UnknownOptionError: There is no queue of this name, or it has priorities.
        """
        return QueueDispatcher(self, self._queue(queue))

    # What there is

    def run(self, run_id: Union[str, UUID]) -> QueuedRun:
        """Return the handle of a run, without asking if there is one.

        Args:
            run_id: The id of the run.
        """
        return QueuedRun(self, str(UUID(str(run_id))))

    def info(self, run_id: str) -> RunInfo:
        """Return what the queue knows of a run.

        Raises:
            UnknownQueuedRunError: There is no such run.
        """
        row = self.database.find(run_id)
        if row is None:
            raise UnknownQueuedRunError(f"There is no queued run {run_id}", hint="Was it enqueued in this database?")
        return info_of(row)

    def list(
        self,
        *,
        status: Optional[Status] = None,
        graph: Optional[str] = None,
        thread_id: Optional[str] = None,
        queue: Optional[str] = None,
        limit: int = 100,
    ) -> List[RunInfo]:
        """Return runs, the latest first.

        Args:
            status: Only those in this state.
            graph: Only those of this graph.
            thread_id: Only those that name this thread.
            queue: Only those in this queue.
            limit: The most that are looked at.

        Raises:
            UnknownOptionError: There is no such state.
        """
        if status is not None and status not in OF_STATUS:
            raise UnknownOptionError(f"No run is {status!r}", name=status, known=OF_STATUS)
        wanted = {"graph": graph, "thread_id": thread_id}
        attributes = {key: value for key, value in wanted.items() if value is not None}
        rows = self.database.list(() if status is None else OF_STATUS[status], queue, attributes, limit)
        found = [info_of(row) for row in rows]
        return [info for info in found if status in (None, info.status)]

    async def alist(
        self,
        *,
        status: Optional[Status] = None,
        graph: Optional[str] = None,
        thread_id: Optional[str] = None,
        queue: Optional[str] = None,
        limit: int = 100,
    ) -> List[RunInfo]:
        """Return runs, the latest first; see `list`."""
        asked = {"status": status, "graph": graph, "thread_id": thread_id, "queue": queue, "limit": limit}
        return await asyncio.to_thread(lambda: self.list(**asked))  # type: ignore[arg-type]

    def set_up(self) -> None:
        """Make or renew DBOS's tables; the first use does it as well."""
        self.database.set_up()

    def close(self) -> None:
        """Close the connections to the database; the events are closed by who has made them."""
        self.database.close()

    def __enter__(self) -> QueuedRuns:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
