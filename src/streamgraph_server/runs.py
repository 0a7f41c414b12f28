"""The runs of a server: each goes on by itself, is read by any number of clients, and is kept for a while after it."""

from __future__ import annotations

import asyncio
import logging
from time import time
from typing import Callable, Dict, List, Optional, Sequence, Set
from uuid import uuid4

from streamgraph.runs import MemoryLog, RunHandle
from streamgraph_server._moments import Moment
from streamgraph_server._prompts import Prompts
from streamgraph_server._refusals import refusal, refused_input, shown_message
from streamgraph_server._rollback import roll_back
from streamgraph_server._settings import Errors, Settings
from streamgraph_server._telemetry import SERVERS, Counts
from streamgraph_server.frames import RunEnd, RunFacts
from streamgraph_server.orders import Order
from streamgraph_server.threads import Thread, Threads

_log = logging.getLogger("streamgraph_server")


class ServedRun:
    """One run, from the request for it until it is forgotten.

    Args:
        order: What was asked for.
        max_events: The most events that are kept.
        keeps_prompts: Whether the prompts of models are kept, also if the order does not ask for it.

    Attributes:
        order: What was asked for.
        facts: What an encoder knows of it.
        log: What has happened in it, and when.
        prompts: What its models were asked, if that is kept.
        handle: The run itself; `None` while runs before it are waited for.
        begun: Is set when the run has begun, or will not begin.
        over: Is set when it has ended.
        end: How it has ended.
        updated: When its state has changed last, in seconds since 1970.
        max_ahead: How many events it may be ahead of its slowest client; `None` if it does not wait for clients.
        readers: How many clients read it.
        errors: What clients get to read of errors.
        began: When it has begun, in seconds since 1970; `None` if it has not.
    """

    def __init__(
        self,
        order: Order,
        max_events: int,
        max_ahead: Optional[int] = None,
        errors: Errors = "message",
        keeps_prompts: bool = False,
    ) -> None:
        self.order = order
        self.log = MemoryLog(max_events=max_events, timed=True)
        self.max_ahead = max_ahead
        self.errors = errors
        thread = order.thread
        self.facts = RunFacts(str(uuid4()), None if thread is None else thread.id, order.name, time())
        self.prompts = Prompts() if keeps_prompts or order.prompts else None
        self.handle: Optional[RunHandle[object]] = None
        self.begun, self.over = Moment(), Moment()
        self.end = RunEnd("cancelled")
        self.updated = self.facts.created
        self.task: Optional[asyncio.Task[None]] = None
        self.readers = 0
        self.began: Optional[float] = None
        self._cancelled = self._rolls_back = False

    @property
    def id(self) -> str:
        """The id of the run."""
        return self.facts.id

    @property
    def status(self) -> str:
        """The state of the run: `pending`, `running`, or how it has ended."""
        if self.over.is_set():
            return self.end.status
        return "pending" if self.handle is None else "running"

    @property
    def is_rolled_back(self) -> bool:
        """Whether it is over, and its thread is as it was before it."""
        return self._rolls_back and self.over.is_set() and self.end.status == "cancelled"

    def join(self) -> None:
        """Note that a client reads the run."""
        self.readers += 1

    def leave(self, *, cancels: bool) -> None:
        """Note that a client reads it no more.

        Args:
            cancels: Whether the run is cancelled if this was the last one.
        """
        self.readers -= 1
        if cancels and not self.readers:
            self.cancel()

    def cancel(self, *, rolls_back: bool = False) -> None:
        """Ask the run to end, also one that has not begun; without waiting.

        Args:
            rolls_back: Whether its thread is to be as it was before the run, when the run is over.
        """
        self._cancelled = True
        self._rolls_back = self._rolls_back or rolls_back
        if self.handle is not None:
            self.handle.cancel()
        elif self.task is not None:
            self.task.cancel()

    async def drive(self, ahead: Sequence[ServedRun], settings: Settings) -> None:
        """Begin the run after those before it, wait for its end, and note how it has ended."""
        try:
            for other in ahead:
                await other.over.wait()
            if self.handle is None and not self._cancelled:
                await self.begin(settings)
            if self.handle is not None:
                await self.handle.ajoin()
                self.end = await _end_of(self.handle, settings)
        except asyncio.CancelledError:
            if self.handle is not None:
                self.handle.cancel()
        except Exception as error:
            self.end = failure(error, settings)
        try:
            if self._rolls_back and self.began is not None and self.order.thread is not None:
                await roll_back(self.order.graph, self.order.thread, self.began)
        except Exception as error:
            _log.exception("Run %s could not be rolled back", self.id)
            self.end = failure(error, settings)
        finally:
            self.updated = time()
            self.begun.set()
            self.over.set()

    async def begin(self, settings: Settings) -> None:
        """Start the run.

        Raises:
            Exception: The graph has refused the input or an option.
        """
        order, self.began = self.order, time()
        wanted = order.to_start(self.id, settings)
        config = dict(wanted.config)
        if self.prompts is not None:
            config["callbacks"] = [self.prompts]
        self.handle = await order.graph.astart(
            wanted.given,
            config,  # type: ignore[arg-type]
            log=self.log,
            **wanted.options,
        )
        self.updated = time()
        self.begun.set()


async def _end_of(handle: RunHandle[object], settings: Settings) -> RunEnd:
    if handle.status != "failed":
        return RunEnd(handle.status)  # type: ignore[arg-type]
    try:
        await handle.aresult()
    except Exception as error:
        # Clients get its type and message, and whoever runs the server may want to see where it was.
        _log.info("A run has failed", exc_info=error)
        return failure(error, settings)
    except BaseException as error:
        return RunEnd("failed", type(error).__name__)
    raise AssertionError("A failed run has a result")


def failure(error: Exception, settings: Settings) -> RunEnd:
    """Return the end of a run that has failed."""
    if settings.errors == "type":
        return RunEnd("failed", type(error).__name__, "The run has failed.")
    return RunEnd("failed", type(error).__name__, shown_message(error))


class Runs:
    """All runs of a server.

    Args:
        settings: The limits.
        threads: Where the threads of the runs are kept.

    Attributes:
        on_drained: Are called when all runs have ended because the server does.
    """

    def __init__(self, settings: Settings, threads: Threads) -> None:
        self.settings = settings
        self._threads = threads
        self.on_drained: List[Callable[[], None]] = []
        self._runs: Dict[str, ServedRun] = {}
        self._active: Dict[str, ServedRun] = {}  # those of them that may go on: a server keeps many more
        self._tasks: Set[asyncio.Task[None]] = set()
        self._draining = False

    def find(self, id: str, owner: Optional[str], thread: Optional[str] = None) -> Optional[ServedRun]:
        """Return a run of this user, or `None`.

        Args:
            id: Its id.
            owner: The user.
            thread: The id of the thread that it must belong to.
        """
        run = self._runs.get(id)
        if run is None or run.order.owner != owner or (thread is not None and run.facts.thread_id != thread):
            return None
        return run

    def of(self, thread: Thread) -> List[ServedRun]:
        """Return the runs of a thread that are known, the latest first."""
        return [run for run in reversed(list(self._runs.values())) if run.order.thread is thread]

    def going_on(self, thread: Optional[Thread] = None) -> List[ServedRun]:
        """Return the runs that have not ended, in the order in which they were asked for; those of a thread, or all."""
        runs = self._active.values()
        return [run for run in runs if not run.over.is_set() and (thread is None or run.order.thread is thread)]

    def counts(self) -> Counts:
        """Return how busy the server is; from any thread."""
        runs = [run for run in list(self._runs.values()) if not run.over.is_set()]
        queued = sum(run.handle is None for run in runs)
        return Counts(queued, len(runs) - queued, sum(run.readers for run in list(self._runs.values())))

    async def start(self, order: Order) -> ServedRun:
        """Start a run, or put it behind those of its thread that go on.

        Raises:
            HTTPException: The server is full or shuts down, the thread has a run and the client does not want to wait,
                or the graph refuses the input.
        """
        SERVERS.count(self)
        if self._draining:
            raise refusal(503, "The server shuts down.", {"retry-after": "1"})
        active = [run for run in self.going_on() if run.order.owner == order.owner]
        if len(active) >= self.settings.max_runs:
            raise refusal(429, f"{len(active)} runs go on already.", {"retry-after": "1"})
        ahead: List[ServedRun] = [] if order.thread is None else self.going_on(order.thread)
        if ahead and order.multitask == "reject":
            raise refusal(409, f"Thread {ahead[0].facts.thread_id} has a run already: {ahead[0].id}.")
        if len(ahead) > self.settings.max_queued:
            raise refusal(429, f"{len(ahead)} runs of this thread wait already.", {"retry-after": "1"})
        if order.multitask != "enqueue":
            for other in ahead:
                other.cancel(rolls_back=order.multitask == "rollback")
        settings = self.settings
        run = ServedRun(order, settings.max_events, settings.max_ahead, settings.errors, settings.live is True)
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
            run.begun.set()
            run.over.set()
            del self._runs[run.id], self._active[run.id]
            raise
        task = run.task = asyncio.get_running_loop().create_task(self._drive(run, ahead))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, run))
        return run

    async def _begin(self, run: ServedRun) -> None:
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

    async def _drive(self, run: ServedRun, ahead: Sequence[ServedRun]) -> None:
        await run.drive(ahead, self.settings)
        thread = run.order.thread
        if thread is not None and self._threads.get(thread.id) is thread:  # it was not deleted meanwhile
            thread.touch()
            try:
                await self._threads.save(thread)
            except Exception:
                _log.exception("What is known of thread %s could not be stored", thread.id)

    def _ended(self, task: asyncio.Task[None], run: ServedRun) -> None:
        self._tasks.discard(task)
        del self._active[run.id]
        if run.is_rolled_back:
            self.forget(run.id)
        if task.cancelled():  # before its first step
            run.begun.set()
            run.over.set()
        task.get_loop().call_later(self.settings.keep, self.forget, run.id)

    def forget(self, id: str) -> None:
        """Forget a run that has ended."""
        self._runs.pop(id, None)

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
        for call in self.on_drained:
            call()

    def reopen(self) -> None:
        """Start runs again."""
        self._draining = False
