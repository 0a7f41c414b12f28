"""One run in a worker: begun, or continued where its thread says that it is, as a new attempt on Redis."""

from __future__ import annotations

import asyncio
import json
from typing import Callable, Mapping, Optional, Sequence, Tuple, cast

from langchain_core.runnables import RunnableConfig

from streamgraph.errors import EmptyInputError, GraphError
from streamgraph.pregel import Pregel
from streamgraph.runs import RunEnd, RunFacts, RunHandle
from streamgraph_integrations.dbos_runs._dbos import Before, Database
from streamgraph_integrations.dbos_runs._errors import QueuedRunError, WorkerStoppedError
from streamgraph_integrations.dbos_runs._orders import AFTER, RECORDED, SAVED, Order, Orders
from streamgraph_integrations.dbos_runs._settling import settling
from streamgraph_integrations.redis_events import RedisEvents, RedisLog, RunLostError, UnknownRunError

_PAUSE = 0.005
"""Seconds between two looks whether the end of a run is stored."""

_NOTHING = "null"
"""Where a run that is not saved begins."""


class Driving:
    """Drives one run, on the event loop of its worker.

    Args:
        run_id: The run.
        text: The text of the order.
        orders: Reads it.
        graphs: Returns the graph of a name, with its saver.
        events: Where the events go.
        database: Where it is noted that a run was cancelled.
    """

    def __init__(
        self,
        run_id: str,
        text: str,
        orders: Orders,
        graphs: Callable[[str], Pregel],
        events: RedisEvents,
        database: Database,
    ) -> None:
        self.run_id = run_id
        self._text = text
        self._orders = orders
        self._graphs = graphs
        self._events = events
        self._database = database
        self._log: Optional[RedisLog] = None
        self._handle: Optional[RunHandle[object, object]] = None
        self._given_up: Optional[asyncio.Event] = None

    async def before(self) -> str:
        """Return where the thread is before the first attempt of the run."""
        try:
            order, graph = self._what()
        except GraphError:  # it will be raised again where the readers of the run hear of it
            return _NOTHING
        await self._events.aover(cast("Sequence[str]", order.options.get(AFTER, ())))
        return await _place(graph, order)

    async def drive(self, before: Before) -> str:
        """Drive the run to its end, and return how it has ended.

        Args:
            before: Where the thread was before the first attempt.

        Raises:
            QueuedRunError: The run has failed.
            WorkerStoppedError: The worker has given the run up, and it was put back in its queue.
        """
        ended = await self._ended()
        if ended is not None:
            return _outcome(*ended)
        log = self._log = await self._events.aopen(self.run_id)
        record = RECORDED
        try:
            order, graph = self._what()
            record = order.record
            if isinstance(before, Exception):
                raise before
            self._handle = await self._begun(graph, order, before, log)
        except Exception as error:
            if self._given_up is None:
                log.begin(RunFacts(self.run_id, (), record, record))
                log.close("failed", RunEnd(error=error))
            return await self._over(log, "failed", error)
        if await asyncio.to_thread(self._is_cancelled):
            self._handle.cancel()
        if self._given_up is not None:
            self._fail()
        try:
            await self._handle.ajoin()
        except asyncio.CancelledError:
            self._handle.cancel()
            raise
        cause: Optional[BaseException] = None
        if self._handle.status == "failed":
            try:
                await self._handle.aresult()
            except BaseException as error:  # whatever a node has raised
                cause = error
        return await self._over(log, self._handle.status, cause)

    def give_up(self) -> None:
        """End the run in this worker without a word to its readers, for another worker; on the loop of the worker."""
        if self._given_up is None:
            self._given_up = asyncio.Event()
            self._fail()

    def release(self) -> None:
        """Note that a run that was given up is in its queue again; on the loop of the worker."""
        if self._given_up is not None:
            self._given_up.set()

    def _fail(self) -> None:
        if self._log is not None:
            hint = "Another worker goes on with it."
            self._log.fail(WorkerStoppedError(f"The worker of the run {self.run_id} stops", hint=hint))

    async def _ended(self) -> Optional[Tuple[str, Optional[BaseException]]]:
        """Return how an earlier attempt has ended, if its worker died only after that."""
        try:
            shared = await self._events.alog(self.run_id)
        except UnknownRunError:
            return None
        if shared.end is None or shared.status not in ("done", "interrupted", "failed", "cancelled"):
            return None
        # A log that is lost looks failed as well, but its stream has no end.
        return None if isinstance(shared.end.error, RunLostError) else (shared.status, shared.end.error)

    def _what(self) -> Tuple[Order, Pregel]:
        """Return what is to run. A graph that is saved has the run's own thread, if the order names none.

        Raises:
            GraphError: The order cannot be read, or there is no such graph here.
        """
        order = self._orders.read(self._text)
        graph = self._graphs(order.graph)
        if not order.options.get(SAVED, True):
            graph = graph.copy(update={"checkpointer": None})
        if order.thread_id is not None or not _is_saved(graph):
            return order, graph
        given = cast("Mapping[str, object]", order.config.get("configurable") or {})
        config = {**order.config, "configurable": {**given, "thread_id": self.run_id}}
        return order._replace(config=config), graph

    async def _begun(self, graph: Pregel, order: Order, before: str, log: RedisLog) -> RunHandle[object, object]:
        config = cast("RunnableConfig", order.config)
        options = {name: value for name, value in order.options.items() if name not in (SAVED, AFTER)}
        given = order.input if before == _NOTHING or await _place(graph, order) == before else None
        if _is_saved(graph):
            options.setdefault("durability", "sync")  # another worker does one step again at most
            graph = graph.copy(update={"checkpointer": settling(graph.checkpointer, log)})
        try:
            return await graph.astart(given, config, log=log, **options)  # type: ignore[arg-type]
        except EmptyInputError:
            if given is not None:
                raise
            # It was at its end: what it has come to is streamed again, and nothing is run.
            raise QueuedRunError(f"The run {self.run_id} had ended, and its events are lost") from None

    def _is_cancelled(self) -> bool:
        row = self._database.find(self.run_id)
        return row is not None and (row.status == "CANCELLED" or bool(row.attributes.get("cancelled")))

    async def _over(self, log: RedisLog, status: str, error: Optional[BaseException]) -> str:
        """Return how the run has ended, when that is stored for its readers."""
        if self._given_up is not None:
            await self._given_up.wait()
            raise WorkerStoppedError(f"The run {self.run_id} is in its queue again")
        while not log.over:
            await asyncio.sleep(_PAUSE)
        return _outcome(status, error)


def _outcome(status: str, error: Optional[BaseException]) -> str:
    if status == "failed":
        raise QueuedRunError(f"{type(error).__name__}: {error}")
    return status


def _is_saved(graph: Pregel) -> bool:
    return graph.checkpointer not in (None, True, False)


async def _place(graph: Pregel, order: Order) -> str:
    """Return where a thread is: its last record, and what it asks.

    A run that finds its thread elsewhere than before its first attempt has begun, so that its input is not given again.
    """
    if not _is_saved(graph):
        return _NOTHING
    found = await graph.aget_state(cast("RunnableConfig", order.config))
    configurable = (found.config or {}).get("configurable") or {}
    asked = [[question.id, repr(question.value)] for question in found.interrupts]
    return json.dumps([configurable.get("checkpoint_id"), asked])
