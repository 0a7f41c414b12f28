"""One run as the protocols see it, wherever it goes on; and the runs that this process drives."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from time import time
from typing import Any, Awaitable, Callable, Dict, List, Mapping, Optional, Sequence, Set
from uuid import uuid4

from streamgraph.runs import AsyncRunReader, MemoryLog, RunHandle
from streamgraph.serialization import RemoteError
from streamgraph.types import Command
from streamgraph_server._moments import Moment
from streamgraph_server._prompts import Prompts
from streamgraph_server._refusals import shown_message
from streamgraph_server._rollback import roll_back
from streamgraph_server._settings import Settings
from streamgraph_server.frames import RunEnd, RunFacts
from streamgraph_server.orders import Order

_log = logging.getLogger("streamgraph_server")

ATTEMPT = 1 << 32
"""How far the numbers of the events of an attempt are from those of the one before: more than there ever are."""


class ServedRun(ABC):
    """One run, from the request for it until it is forgotten.

    Args:
        id: The id of the run.
        order: What was asked for.
        settings: The limits.
        created: When it was asked for, in seconds since 1970.

    Attributes:
        order: What was asked for.
        facts: What an encoder knows of it.
        handle: The run itself; `None` while runs before it are waited for.
        begun: Is set when the run has begun, or will not begin.
        over: Is set when it has ended.
        end: How it has ended.
        updated: When its state has changed last, in seconds since 1970.
        max_ahead: How many events it may be ahead of its slowest client; `None` if it does not wait for clients.
        readers: How many clients read it.
        errors: What clients get to read of errors.
        began: When it has begun, in seconds since 1970; `None` if it has not.
        is_withdrawn: Whether it was refused, so that it has no events.
        is_dispatched: Whether a worker drives it that is no server, and cannot take it back.
        left: Whether this process shows it no more, though it goes on.
    """

    def __init__(self, id: str, order: Order, thread_id: Optional[str], settings: Settings, created: float) -> None:
        self.order = order
        self.settings = settings
        self.max_ahead: Optional[int] = None
        self.errors = settings.errors
        self.facts = RunFacts(id, thread_id, order.name, created)
        self.handle: Optional[RunHandle[object]] = None
        self.begun, self.over = Moment(), Moment()
        self.end = RunEnd("cancelled")
        self.updated = created
        self.readers = 0
        self.began: Optional[float] = None
        self.left = self.is_withdrawn = self.is_dispatched = False

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
        return False

    @property
    def answers(self) -> List[str]:
        """The ids of the questions that it has answers to."""
        return answers_in(self.order.given)

    @property
    def first_place(self) -> int:
        """What is added to the numbers of the events of its attempt, so that they are above those of earlier ones."""
        return ATTEMPT * (self.facts.attempt - 1)

    def time_of(self, number: int) -> Optional[float]:
        """Return when an event happened, in seconds since 1970; `None` if that is not known here."""
        return None

    async def open(self) -> None:
        """Make the run ready to be read, if that is not the case yet."""
        return

    async def following(self, handle: Optional[RunHandle[object]]) -> Optional[RunHandle[object]]:
        """Wait until a run is over whose events were read, and return `None`; or what goes on with it elsewhere.

        Args:
            handle: The handle that was read.
        """
        await self.over.wait()
        return None

    def reading(self, reader: AsyncRunReader[Any]) -> Callable[[], None]:
        """Note a reader, and return what forgets it."""
        return _forget_nothing

    async def prompt(self, call: str) -> Optional[Mapping[str, object]]:
        """Return what a model was asked in a call, or `None` if that is not kept."""
        return None

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

    @abstractmethod
    def cancel(self, *, rolls_back: bool = False) -> None:
        """Ask the run to end, also one that has not begun; without waiting.

        Args:
            rolls_back: Whether its thread is to be as it was before the run, when the run is over.
        """


class OwnRun(ServedRun):
    """A run that this process drives.

    Args:
        order: What was asked for.
        settings: The limits.
        id: The id of the run; a new one by default.
        log: Where its events go; by default into the memory of this process.
        finish: Writes down, for other processes, how the run has ended, with the status and the error if these are not
            how its log was closed.
        created: When it was asked for, in seconds since 1970; now by default.

    Attributes:
        log: What has happened in it, and when.
        prompts: What its models were asked, if that is kept.
    """

    def __init__(
        self,
        order: Order,
        settings: Settings,
        id: str = "",
        log: Optional[MemoryLog] = None,
        finish: Optional[Callable[[Optional[str], Optional[BaseException]], Awaitable[None]]] = None,
        created: Optional[float] = None,
    ) -> None:
        thread = None if order.thread is None else order.thread.id
        super().__init__(id or str(uuid4()), order, thread, settings, time() if created is None else created)
        self.log = MemoryLog(max_events=settings.max_events, timed=True) if log is None else log
        self.max_ahead = settings.max_ahead
        self.prompts = Prompts() if order.prompts or settings.live is True else None
        self.task: Optional[asyncio.Task[None]] = None
        self.is_read_elsewhere: Callable[[], bool] = lambda: False
        self._finish = finish
        self._cancelled = self._rolls_back = self._is_finishing = False

    @property
    def is_rolled_back(self) -> bool:
        """Whether it is over, and its thread is as it was before it."""
        return self._rolls_back and self.over.is_set() and self.end.status == "cancelled"

    def time_of(self, number: int) -> Optional[float]:
        """Return when an event happened; see `ServedRun`."""
        return self.log.time_of(number)

    async def prompt(self, call: str) -> Optional[Mapping[str, object]]:
        """Return what a model was asked in a call; see `ServedRun`."""
        found = None if self.prompts is None else self.prompts.get(call)
        return None if found is None else found._asdict()

    def leave(self, *, cancels: bool) -> None:
        """Note that a client reads it no more; see `ServedRun`."""
        self.readers -= 1
        if cancels and not self.readers and not self.is_read_elsewhere():
            self.cancel()

    def cancel(self, *, rolls_back: bool = False) -> None:
        """Ask the run to end; see `ServedRun`."""
        self._cancelled = True
        self._rolls_back = self._rolls_back or rolls_back
        if self.handle is not None:
            self.handle.cancel()
        elif self.task is not None:
            self.task.cancel()

    async def drive(self, ahead: Sequence[ServedRun], settings: Settings) -> None:
        """Begin the run after those before it, wait for its end, and note how it has ended."""
        error: Optional[BaseException] = None
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
        except Exception as failed:
            error, self.end = failed, failure(failed, settings)
        try:
            if self._rolls_back and self.began is not None and self.order.thread is not None:
                await roll_back(self.order.graph, self.order.thread, self.began)
        except Exception as failed:
            _log.exception("Run %s could not be rolled back", self.id)
            error, self.end = failed, failure(failed, settings)
        finally:
            await self.finish(error)

    async def finish(self, error: Optional[BaseException] = None) -> None:
        """Tell all who wait that the run is over, also in other processes.

        Args:
            error: What has gone wrong beside the run itself.
        """
        self.updated = time()
        if self._finish is not None:
            self._is_finishing = True
            is_other = error is not None or self.handle is None
            try:
                await self._finish(self.end.status if is_other else None, error)
            except Exception:
                _log.exception("The end of run %s could not be stored", self.id)
        self.begun.set()
        self.over.set()

    async def open(self) -> None:
        """Wait until the end is known here that other processes may know already."""
        if self._is_finishing:
            await self.over.wait()

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


def _forget_nothing() -> None:
    """Do nothing: readers of runs of this process end with the runs."""


def answers_in(given: object) -> List[str]:
    """Return the ids of the questions that an input has answers to."""
    resume = given.resume if isinstance(given, Command) else None
    return [id for id in resume if isinstance(id, str)] if isinstance(resume, dict) else []


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


def failure(error: BaseException, settings: Settings) -> RunEnd:
    """Return the end of a run that has failed."""
    name = type(error).__name__
    if isinstance(error, RemoteError):  # of a class that is not known here
        name = error.class_name.rpartition(":")[2].rpartition(".")[2]
    if settings.errors == "type":
        return RunEnd("failed", name, "The run has failed.")
    return RunEnd("failed", name, shown_message(error) if isinstance(error, Exception) else "")


class ReadElsewhere:
    """Which other processes have clients that read a run of this one, by what they say from time to time.

    Args:
        patience: Seconds after which a process that says nothing reads no more.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._until: Dict[str, float] = {}

    def hear(self, process: str, reads: bool) -> None:
        """Note what a process says.

        Args:
            process: The process.
            reads: Whether it has clients that read the run.
        """
        self._until.pop(process, None)
        if reads:
            self._until[process] = time() + self._patience

    def __call__(self) -> bool:
        """Return whether there are any."""
        now = time()
        return any(until > now for until in self._until.values())


Tasks = Set["asyncio.Task[Any]"]


def begin_in(tasks: Tasks, work: Any) -> asyncio.Task[Any]:
    """Begin something as a task that is kept in a set until it is done."""
    task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task
