"""What the processes of one server share: the runs of all, their order on threads, and who may see them."""

from __future__ import annotations

import asyncio
from time import time
from typing import Any, Awaitable, Callable, List, Mapping, Optional, Sequence, TypeVar, cast
from uuid import uuid4
from weakref import WeakValueDictionary

from streamgraph.pregel import Pregel
from streamgraph.runs import (
    Dispatcher,
    EventsUnavailableError,
    MemoryLog,
    RequestTimeoutError,
    RunRecord,
    RunStatus,
    SharedEvents,
)
from streamgraph_server._refusals import refusal, shown_message
from streamgraph_server._settings import Settings
from streamgraph_server.elsewhere import SIGN, RunElsewhere, notes_of, read_notes
from streamgraph_server.orders import Order
from streamgraph_server.served import OwnRun, ReadElsewhere, ServedRun, Tasks, begin_in
from streamgraph_server.threads import Thread, Threads

T = TypeVar("T")


def thread_group(id: str) -> str:
    """Return the name of the group of the runs of a thread."""
    return f"thread:{id}"


def owner_group(owner: Optional[str]) -> str:
    """Return the name of the group of the runs of a user."""
    return "all" if owner is None else f"owner:{owner}"


async def asked(answer: Awaitable[T]) -> T:
    """Wait for what the processes share.

    Raises:
        HTTPException: It cannot be reached.
    """
    try:
        return await answer
    except (EventsUnavailableError, RequestTimeoutError) as error:
        raise refusal(503, shown_message(error), {"retry-after": "1"}) from error


class SharedRuns:
    """The runs of other processes, and what others have to know of those of this one.

    Args:
        events: What the processes share.
        dispatcher: Starts runs elsewhere; `None` to start them in this process.
        settings: The limits.
        threads: The threads.
        graph_of: Returns a graph by its name, and whether its runs are saved.
    """

    def __init__(
        self,
        events: SharedEvents,
        dispatcher: Optional[Dispatcher],
        settings: Settings,
        threads: Threads,
        graph_of: Callable[[str, bool], Optional[Pregel]],
    ) -> None:
        self.events = events
        self.dispatcher = dispatcher
        self._settings = settings
        self._threads = threads
        self._graph_of = graph_of
        self._known: WeakValueDictionary[str, RunElsewhere] = WeakValueDictionary()
        self._process = uuid4().hex
        self._tasks: Tasks = set()

    # Runs of this process

    async def accept(self, order: Order) -> OwnRun:
        """Return a run of this process that the others know of, though it is in no group yet."""
        id, created = str(uuid4()), time()
        log: Any = await asked(self.events.aaccept(id, notes_of(order, created)))

        async def finish(status: Optional[str], error: Optional[BaseException]) -> None:
            await self.events.afinish(log, cast("Optional[RunStatus]", status), error)
            for group in self._groups(order):
                await self.events.aleave(group, id)

        run = OwnRun(order, self._settings, id, cast("MemoryLog", log), finish, created)
        run.is_read_elsewhere = readers = ReadElsewhere(3 * SIGN)
        loop = asyncio.get_running_loop()

        def left(process: str, cancels: bool) -> None:
            readers.hear(process, False)
            if (cancels or order.cancels) and not run.readers and not readers():
                run.cancel()

        def hear(kind: str, *details: Any) -> object:
            if kind == "prompt":
                found = None if run.prompts is None else run.prompts.get(details[0])
                return None if found is None else found._asdict()
            if kind == "cancel":
                loop.call_soon_threadsafe(run.cancel)
            elif kind == "rollback":
                loop.call_soon_threadsafe(lambda: run.cancel(rolls_back=True))
            elif kind == "reads":
                readers.hear(details[0], True)
            elif kind == "left":
                loop.call_soon_threadsafe(left, *details)
            return None

        log.on_signal(hear)
        return run

    async def dispatch(self, order: Order, ahead: Sequence[ServedRun], run: RunElsewhere) -> None:
        """Have a run started elsewhere, after those before it."""
        assert self.dispatcher is not None
        wanted = order.to_start(run.id, self._settings)
        await self.dispatcher.dispatch(wanted._replace(after=tuple(other.id for other in ahead)))

    async def note(self, order: Order) -> RunElsewhere:
        """Return a run that a worker will drive, though it is in no group yet."""
        id, text = str(uuid4()), notes_of(order, time(), dispatched=True)
        await asked(self.events.anote(id, text))
        run = RunElsewhere(
            RunRecord(id, text, 0, "pending"),
            read_notes(text),
            order,
            self.events,
            self._settings,
            self._process,
            self._tasks,
        )
        run.dispatcher = self.dispatcher
        self._known[id] = run
        return run

    async def enter(self, run: ServedRun) -> List[str]:
        """Put a run behind those of its thread that go on, and return these; `[]` for a run without a thread."""
        found: List[List[str]] = [await asked(self.events.aenter(group, run.id)) for group in self._groups(run.order)]
        return found[0] if run.order.thread is not None else []

    async def withdraw(self, run: ServedRun) -> None:
        """Make a run unknown that was refused or taken back."""
        if isinstance(run, OwnRun):
            await run.finish()
        for group in self._groups(run.order):
            await self.events.aleave(group, run.id, forget=True)
        await self.events.adelete(run.id)

    def _groups(self, order: Order) -> List[str]:
        groups = [owner_group(order.owner)]
        return groups if order.thread is None else [thread_group(order.thread.id), *groups]

    # Runs of any process

    async def find(self, ids: Sequence[str], own: Mapping[str, ServedRun]) -> List[ServedRun]:
        """Return runs as this process serves them, without those that are unknown.

        Args:
            ids: Their ids.
            own: The runs of this process.
        """
        lacking = [id for id in ids if id not in own]
        records = dict(zip(lacking, await asked(self.events.afind(lacking))))
        found: List[ServedRun] = []
        for id in ids:
            record = records.get(id)
            run = own[id] if id in own else None if record is None else await self._served(record)
            if run is not None:
                found.append(run)
                if id in own:
                    await run.open()
        return found

    async def members(self, group: str, *, active: bool = False) -> List[str]:
        """Return the ids of the runs of a group, the oldest first."""
        return await asked(self.events.amembers(group, active=active))

    async def left_behind(self, group: str, runs: Sequence[ServedRun], ids: Sequence[str]) -> None:
        """Take runs out of those of a group that go on which are over: their process had no time to do so."""
        going_on = {run.id for run in runs if not run.over.is_set()}
        for id in ids:
            if id not in going_on:
                await asked(self.events.aleave(group, id))

    async def _served(self, record: RunRecord) -> Optional[RunElsewhere]:
        notes = read_notes(record.notes)
        thread: Optional[Thread] = None
        if notes["thread"] is not None and record.run_id not in self._known:
            thread = await self._threads.find(notes["thread"])
        known = self._known.get(record.run_id)  # another request may have found it meanwhile
        if known is not None and (known.over.is_set() or record.end is None):
            known.began = known.began or record.begun
            return known
        if known is not None:
            thread = known.order.thread
        graph = self._graph_of(notes["graph"], notes["thread"] is not None)
        if graph is None:
            return None  # another server, which has other graphs, uses the same events
        order = Order(
            name=notes["graph"],
            graph=graph,
            given=None,
            config={},
            thread=thread,
            owner=notes["owner"],
            modes=notes["modes"],
            wire_modes=notes["wire_modes"],
            subgraphs=notes["subgraphs"],
            cancels=notes["cancels"],
            multitask=notes["multitask"],
            metadata=notes["metadata"],
            remarks=notes["remarks"],
        )
        run = self._known[record.run_id] = RunElsewhere(
            record, notes, order, self.events, self._settings, self._process, self._tasks
        )
        run.dispatcher = self.dispatcher if notes["dispatched"] else None
        return run

    def let_go(self) -> None:
        """End the readers of runs of other processes."""
        for run in list(self._known.values()):
            run.let_go()

    def begin(self, work: Any) -> None:
        """Do something besides."""
        begin_in(self._tasks, work)
