"""The runs of a server: each goes on by itself, is read by any number of clients, and is kept for a while after it."""

from __future__ import annotations

import asyncio
import logging
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Set, cast

from streamgraph.runs import EventsUnavailableError
from streamgraph_server._refusals import refusal, refused_input
from streamgraph_server._settings import Settings
from streamgraph_server._telemetry import SERVERS, Counts
from streamgraph_server.elsewhere import RunElsewhere
from streamgraph_server.orders import Order
from streamgraph_server.served import OwnRun, ServedRun, Tasks, begin_in
from streamgraph_server.shared import SharedRuns, asked, owner_group, thread_group
from streamgraph_server.threads import Thread, Threads

_log = logging.getLogger("streamgraph_server")


class Runs:
    """All runs of a server.

    Args:
        settings: The limits.
        threads: Where the threads of the runs are kept.
        shared: What this process shares with others; `None` if it is alone.

    Attributes:
        shared: The same.
        on_drained: Are called when all runs have ended because the server does.
    """

    def __init__(self, settings: Settings, threads: Threads, shared: Optional[SharedRuns] = None) -> None:
        self.settings = settings
        self.shared = shared
        self._threads = threads
        self.on_drained: List[Callable[[], None]] = []
        self._runs: Dict[str, OwnRun] = {}
        self._active: Dict[str, OwnRun] = {}  # those of them that may go on: a server keeps many more
        self._tasks: Set[asyncio.Task[None]] = set()
        self._ending: Tasks = set()
        self._draining = False

    @property
    def known(self) -> Mapping[str, OwnRun]:
        """The runs that this process drives or has driven, by their ids."""
        return self._runs

    def find(self, id: str, owner: Optional[str], thread: Optional[str] = None) -> Optional[OwnRun]:
        """Return a run of this user that this process drives, or `None`.

        Args:
            id: Its id.
            owner: The user.
            thread: The id of the thread that it must belong to.
        """
        run = self._runs.get(id)
        if run is None or run.order.owner != owner or (thread is not None and run.facts.thread_id != thread):
            return None
        return run

    def of(self, thread: Thread) -> List[OwnRun]:
        """Return the runs of a thread that this process drives or has driven, the latest first."""
        return [run for run in reversed(list(self._runs.values())) if run.order.thread is thread]

    def going_on(self, thread: Optional[Thread] = None) -> List[OwnRun]:
        """Return the runs of this process that have not ended, the oldest first; those of a thread, or all."""
        runs = self._active.values()
        return [run for run in runs if not run.over.is_set() and (thread is None or run.order.thread is thread)]

    def counts(self) -> Counts:
        """Return how busy the server is; from any thread."""
        runs = [run for run in list(self._runs.values()) if not run.over.is_set()]
        queued = sum(run.handle is None for run in runs)
        return Counts(queued, len(runs) - queued, sum(run.readers for run in list(self._runs.values())))

    async def get(self, id: str, owner: Optional[str], thread: Optional[str] = None) -> Optional[ServedRun]:
        """Return a run of this user, ready to be read, whichever process drives it, or `None`; see `find`."""
        run: Optional[ServedRun] = self.find(id, owner, thread)
        if run is None and self.shared is not None and id not in self._runs:
            found = await self.shared.find([id], {})
            run = found[0] if found else None
            if run is None or run.order.owner != owner or (thread is not None and run.facts.thread_id != thread):
                return None
        if run is not None:
            await run.open()
        return run

    async def all_of(self, thread: Thread) -> List[ServedRun]:
        """Return the runs of a thread, whichever process drives them, the latest first."""
        if self.shared is None:
            return list(self.of(thread))
        ids = await self.shared.members(thread_group(thread.id))
        return (await self.shared.find(ids, self._runs))[::-1]

    async def all_going_on(self, thread: Thread) -> List[ServedRun]:
        """Return the runs of a thread that have not ended, whichever process drives them, the oldest first."""
        if self.shared is None:
            return list(self.going_on(thread))
        return await self._active_in(self.shared, thread_group(thread.id))

    async def all_of_user(self, owner: Optional[str]) -> List[ServedRun]:
        """Return the runs of a user that have not ended, whichever process drives them."""
        if self.shared is None:
            return [run for run in self.going_on() if run.order.owner == owner]
        return await self._active_in(self.shared, owner_group(owner))

    async def _active_in(self, shared: SharedRuns, group: str, ids: Optional[List[str]] = None) -> List[ServedRun]:
        """Return the runs of a group that have not ended, the oldest first.

        Args:
            shared: What the processes share.
            group: The group.
            ids: Those of which it is not known that they have.
        """
        if ids is None:
            ids = await shared.members(group, active=True)
        runs = await shared.find(ids, self._runs)
        await shared.left_behind(group, runs, ids)
        return [run for run in runs if not run.over.is_set()]

    async def start(self, order: Order) -> ServedRun:
        """Start a run, or put it behind those of its thread that go on.

        Raises:
            HTTPException: The server is full or shuts down, the thread has a run and the client does not want to wait,
                the graph refuses the input, or what the processes share cannot be reached.
        """
        SERVERS.count(self)
        if self._draining:
            raise refusal(503, "The server shuts down.", {"retry-after": "1"})
        active = [run for run in self.going_on() if run.order.owner == order.owner]
        if len(active) >= self.settings.max_runs:
            raise refusal(429, f"{len(active)} runs go on already.", {"retry-after": "1"})
        if self.shared is not None:
            return await self._start_shared(order, self.shared)
        ahead: List[ServedRun] = [] if order.thread is None else list(self.going_on(order.thread))
        self._make_way(order, ahead)
        run = OwnRun(order, self.settings)
        self._runs[run.id] = self._active[run.id] = run
        if order.thread is not None:
            for watch in order.thread.watchers:
                watch(run)
        try:
            if order.thread is not None:
                await self._note(order.thread, order.name)
            if not ahead:
                await self._begin(run)
        except BaseException:
            run.is_withdrawn = True
            await run.finish()
            del self._runs[run.id], self._active[run.id]
            raise
        self._go_on(run, ahead)
        return run

    async def _start_shared(self, order: Order, shared: SharedRuns) -> ServedRun:
        """Start a run that other processes know of; see `start`."""
        if shared.dispatcher is not None and order.multitask == "rollback":
            raise refusal(422, "Runs are driven by workers, which cannot take them back: use interrupt.")
        own = await shared.accept(order) if shared.dispatcher is None else None
        run: ServedRun = await shared.note(order) if own is None else own
        if own is not None:
            self._runs[run.id] = self._active[run.id] = own
        try:
            ids, ahead = await shared.enter(run), []
            if order.thread is not None:
                ahead = await self._active_in(shared, thread_group(order.thread.id), ids)
                self._make_way(order, ahead)
                await self._note(order.thread, order.name)
            for other in ahead:
                await other.open()
            if own is None:
                await shared.dispatch(order, ahead, cast("RunElsewhere", run))
                await run.open()
            elif not ahead:
                await self._begin(own)
        except BaseException:
            run.is_withdrawn = True
            try:
                await shared.withdraw(run)
            except EventsUnavailableError as error:  # it will be lost: nobody drives it
                _log.warning("Run %s, which was refused, could not be made unknown: %s", run.id, error)
            self._runs.pop(run.id, None)
            self._active.pop(run.id, None)
            raise
        if own is not None:
            self._go_on(own, ahead)
        return run

    def _make_way(self, order: Order, ahead: Sequence[ServedRun]) -> None:
        """Do with the runs before one what it asks for.

        Raises:
            HTTPException: It does not want to wait, or too many wait.
        """
        if ahead and order.multitask == "reject":
            raise refusal(409, f"Thread {ahead[0].facts.thread_id} has a run already: {ahead[0].id}.")
        if len(ahead) > self.settings.max_queued:
            raise refusal(429, f"{len(ahead)} runs of this thread wait already.", {"retry-after": "1"})
        if order.multitask != "enqueue":
            for other in ahead:
                other.cancel(rolls_back=order.multitask == "rollback")

    def _go_on(self, run: OwnRun, ahead: Sequence[ServedRun]) -> None:
        task = run.task = asyncio.get_running_loop().create_task(self._drive(run, ahead))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, run))

    async def _begin(self, run: OwnRun) -> None:
        try:
            await run.begin(self.settings)
        except Exception as error:
            raise refused_input(error) from error

    async def _note(self, thread: Thread, graph: str) -> None:
        """Note which graph runs on a thread, before its first state is stored, so that it is known whose that is."""
        is_new = not thread.saved or thread.graph != graph
        thread.touch(graph=graph)
        if is_new:
            await self._threads.save(thread)

    async def _drive(self, run: OwnRun, ahead: Sequence[ServedRun]) -> None:
        await run.drive(ahead, self.settings)
        if run.is_rolled_back and self.shared is not None:
            await self.shared.withdraw(run)
        thread = run.order.thread
        if thread is not None and self._threads.get(thread.id) is thread:  # it was not deleted meanwhile
            thread.touch()
            try:
                await self._threads.save(thread)
            except Exception:
                _log.exception("What is known of thread %s could not be stored", thread.id)

    def _ended(self, task: asyncio.Task[None], run: OwnRun) -> None:
        self._tasks.discard(task)
        del self._active[run.id]
        if run.is_rolled_back:
            self.forget(run.id)
        if task.cancelled():  # before its first step
            begin_in(self._ending, run.finish())
        task.get_loop().call_later(self.settings.keep, self.forget, run.id)

    def forget(self, id: str) -> None:
        """Forget a run that has ended; other processes may go on to show it."""
        self._runs.pop(id, None)

    async def delete(self, run: ServedRun) -> None:
        """Forget a run that has ended, for all processes."""
        self.forget(run.id)
        if self.shared is not None:
            await asked(self.shared.withdraw(run))

    async def drain(self) -> None:
        """Start no more runs, give those that go on a while to end, then cancel them and wait for it."""
        self._draining = True
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=self.settings.drain)
        for run in self.going_on():
            run.cancel()
        tasks = list(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=self.settings.drain)
        if self.shared is not None:
            self.shared.let_go()
        for call in self.on_drained:
            call()

    def reopen(self) -> None:
        """Start runs again."""
        self._draining = False
