"""A worker: takes runs from queues, and drives them on the event loop that it was opened on."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Callable, Coroutine, Dict, Optional, Sequence, Set
from uuid import uuid4

from streamgraph.errors import UnknownOptionError
from streamgraph.pregel import Pregel
from streamgraph_integrations.dbos_runs._dbos import Before, Executor
from streamgraph_integrations.dbos_runs._driving import Driving
from streamgraph_integrations.dbos_runs._liveness import Liveness

if TYPE_CHECKING:
    from streamgraph_integrations.dbos_runs._runs import QueuedRuns

_log = logging.getLogger("streamgraph")

_PAUSE = 0.2
"""Seconds between two looks of a worker that ends at what is left to do."""


class Worker:
    """Takes runs from queues and drives them, while it is open; see `QueuedRuns.worker`.

    Args:
        runs: What is run, and where it is kept.
        queues: The names of the queues from which it takes runs; none for all.
        drain: Seconds that runs get to end when the worker does; those that go on then are left to other workers.

    Attributes:
        id: The id of the worker.

    Raises:
        UnknownOptionError: There is no queue of a name.
    """

    def __init__(self, runs: QueuedRuns, queues: Sequence[str] = (), drain: float = 30.0) -> None:
        for name in queues:
            if name not in runs.queues:
                raise UnknownOptionError(f"There is no queue {name!r}", name=name, known=runs.queues)
        self.id = uuid4().hex
        self.drain = drain
        self._runs = runs
        self._listens = tuple(queues) or tuple(runs.queues)
        self._graphs: Dict[str, Pregel] = {}
        self._driven: Set[Driving] = set()
        self._stack = AsyncExitStack()
        self._gives_up = False
        self._ends = False
        self._ending = threading.Lock()

    @property
    def running(self) -> int:
        """How many runs it drives."""
        return len(self._driven)

    async def __aenter__(self) -> Worker:
        """Open the saver, make the graphs, and begin to take runs.

        Raises:
            UnknownOptionError: There is no graph where one should be.
            RuntimeError: The process has a worker already.
        """
        self._loop = asyncio.get_running_loop()
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        """Take no more runs, wait for those that go on, leave the rest to other workers, and close the saver."""
        self._supervision.cancel()
        ended = asyncio.ensure_future(asyncio.to_thread(self._end))
        deadline = self._loop.time() + self.drain
        while not ended.done():
            await asyncio.wait({ended}, timeout=_PAUSE)
            if self._driven and self._loop.time() >= deadline:
                await self._give_up()
        await ended
        await asyncio.to_thread(self._liveness.leave)
        await self._stack.aclose()

    async def _open(self) -> None:
        runs = self._runs
        saver = await self._source(runs.checkpointer)
        store = await self._source(runs.store)
        for name in runs.graphs.names:
            self._graphs[name] = _with(runs.graphs.get(name), saver, store)
        database = runs.database
        self._executor = Executor(
            database.url,
            self.id,
            tuple(runs.queues.values()),
            self._listens,
            self._before,
            self._run,
            runs.enqueue_scheduled,
        )
        self._liveness = Liveness(
            database.url,
            self.id,
            runs.lease,
            database.pending_executors,
            self._take_over,
            self._after_a_beat,
        )
        await asyncio.to_thread(database.set_up)
        await asyncio.to_thread(self._liveness.enter)
        await asyncio.to_thread(self._executor.launch)
        self._liveness.start()
        self._supervision = self._loop.create_task(self._supervise())

    async def _source(self, source: object) -> Optional[object]:
        """Return a saver or store; one that is to be opened is open until the worker ends."""
        if source is None or not callable(source):
            return source
        return await self._stack.enter_async_context(source())

    async def _before(self, run_id: str, text: str) -> str:
        """Return where a run begins, for DBOS, on whose loop this is called."""
        return await self._here(self._driving(run_id, text).before())

    async def _run(self, run_id: str, text: str, before: Before) -> str:
        """Drive a run, for DBOS, on whose loop this is called."""
        return await self._here(self._drive(self._driving(run_id, text), before))

    def _driving(self, run_id: str, text: str) -> Driving:
        runs = self._runs
        return Driving(run_id, text, runs.orders, self._graph, runs.events, runs.database)

    def _graph(self, name: str) -> Pregel:
        self._runs.graphs.check(name)
        return self._graphs[name]

    async def _here(self, work: Coroutine[object, object, str]) -> str:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _drive(self, driving: Driving, before: Before) -> str:
        self._driven.add(driving)
        try:
            return await driving.drive(before)
        finally:
            self._driven.discard(driving)

    # Taking runs over, and giving them up

    def _take_over(self, dead: Set[str]) -> None:
        """Put the runs of dead workers back in their queues; a worker that ends leaves that to the others."""
        with self._ending:
            if not self._ends:
                self._executor.recover(sorted(dead))

    def _end(self) -> None:
        """Take no more runs, and wait for those that go on; in a thread."""
        with self._ending:
            self._ends = True
        self._executor.destroy(max(1, round(self.drain) + 60))

    async def _supervise(self) -> None:
        """Give the runs up as soon as others may take this worker for dead, and whether or not it can ask them."""
        while True:
            await asyncio.sleep(self._runs.lease / 20)
            if self._liveness.lapsed and self._driven:
                _log.error("A worker has not reached its database in time, and gives up its runs")
                for driving in tuple(self._driven):
                    driving.give_up()
                self._gives_up = True

    def _after_a_beat(self) -> None:
        """Put back what was given up, and tell the readers of what is not started again; in a thread."""
        if self._gives_up:
            self._executor.recover([self.id])
            self._gives_up = False
            self._loop.call_soon_threadsafe(self._release)
        self._runs.ending.close_dead_letters()

    async def _give_up(self) -> None:
        """Leave the runs that go on to other workers."""
        given_up = tuple(self._driven)
        for driving in given_up:
            driving.give_up()
        await asyncio.to_thread(self._executor.recover, [self.id])
        for driving in given_up:
            driving.release()

    def _release(self) -> None:
        for driving in tuple(self._driven):
            driving.release()


def _with(graph: Pregel, saver: Optional[object], store: Optional[object]) -> Pregel:
    """Return a graph with a saver and a store, where it has none of its own."""
    update: Dict[str, object] = {}
    if saver is not None and graph.checkpointer in (None, True):
        update["checkpointer"] = saver
    if store is not None and graph.store is None:
        update["store"] = store
    return graph.copy(update=update) if update else graph


async def until_told(worker: Worker, begun: Callable[[Worker], None] = lambda worker: None) -> None:
    """Open a worker until the process gets SIGTERM or SIGINT.

    Args:
        worker: The worker.
        begun: Is called when it takes runs.
    """
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, told.set)
        except NotImplementedError:  # asyncio has no signal handlers on Windows; a plain one wakes the loop
            signal.signal(number, lambda *of: loop.call_soon_threadsafe(told.set))
    async with worker:
        begun(worker)
        await told.wait()
