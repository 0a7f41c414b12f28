"""The streams that drive started runs: nobody gets their chunks, since their parts go to a log."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Callable, Dict, List, Optional, Tuple

from streamgraph._core.task import Task
from streamgraph._drivers.backend_asyncio import AsyncioBackend
from streamgraph._drivers.backend_threads import ThreadBackend
from streamgraph._drivers.driver_asyncio import AsyncGraphStream
from streamgraph._drivers.driver_threads import GraphStream
from streamgraph._drivers.reader_capacity import ReaderCapacity
from streamgraph._drivers.stream import Stream, Wakeup
from streamgraph._protocols import Coalescer, Questions, Session
from streamgraph._signals import RunningTask, Unstreamed
from streamgraph._streams.backpressure import Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.flow import UNLIMITED, FlowControl
from streamgraph._streams.part import Part
from streamgraph.errors import StreamClosed


class StartedThreadBackend(ThreadBackend):
    """Backend of a run that a thread of its own drives.

    Args:
        put: Takes a part to the log; it does not pass the inbox.
        capacity: The capacity for parts.
        coalescer: Is not used: the inbox has no limit of its own.
    """

    def __init__(self, put: Put, capacity: ReaderCapacity, coalescer: Coalescer) -> None:
        super().__init__(UNLIMITED, coalescer)
        self.put = put
        self.capacity = capacity


class StartedLoopBackend(AsyncioBackend):
    """Backend of a run that an asyncio task drives; see `StartedThreadBackend`."""

    def __init__(self, put: Put, capacity: ReaderCapacity, coalescer: Coalescer) -> None:
        super().__init__(UNLIMITED, coalescer)
        self.put = put
        self.capacity = capacity


class _Timed(Stream):
    """A stream that knows since when its tasks run, for heartbeats of its readers."""

    _yields_parts = False

    @property
    def ns(self) -> Tuple[str, ...]:
        """The namespace of the graph."""
        return self._session.run.ns

    @property
    def shape(self) -> Callable[[Part], object]:
        """Makes a chunk of a part."""
        return self._router.shape

    @property
    def stop(self) -> CancelToken:
        """The cancel token of the run."""
        return self._session.stop

    @property
    def live(self) -> Optional[Questions]:
        """The open questions, if they are answered while the run goes on."""
        return self._session.questions

    def unstreamed(self) -> List[Unstreamed]:
        """Return the model calls that were not streamed so far."""
        return self._session.explain()

    def end_messages(self) -> None:
        """Show that the messages are over which were cut off, when the run has ended without an error."""
        router = self._router
        if router.subscribers.live:
            for part in self._session.message_ends():
                if router.is_own(part):
                    router.shape(part)

    def _begin_times(self) -> None:
        self._begun_at: Dict[str, Tuple[Task, float]] = {}
        self._placed: Optional[Tuple[Task, float]] = None  # the task that runs in place

    def _record_start(self, task: Task, alone: bool) -> None:
        if alone and self._in_place:
            self._placed = (task, monotonic())
            return
        times = self._begun_at
        if len(times) > _MANY + 2 * len(self._jobs):
            self._begun_at = times = {known: times[known] for known in tuple(times) if known in self._jobs}
        times[task.id] = (task, monotonic())

    def running(self) -> Tuple[RunningTask, ...]:
        """Return the tasks that run; from any thread."""
        now, placed, found = monotonic(), self._placed, []
        begun = tuple(self._begun_at.values())
        for task, began in begun if placed is None else (*begun, placed):
            job = self._jobs.get(task.id)
            if (job is not None and not job.over) or (placed is not None and task is placed[0]):
                found.append(RunningTask(task.name, task.step, task.id, now - began))
        return tuple(found)


_MANY = 64


class StartedThreadStream(_Timed, GraphStream[object]):
    """The parts of a started run, which a thread of its own pulls into the log.

    Args:
        session: The run.
        backend: Its backend.
        flow: The time limits of the run and its steps.
        is_awaited: Returns True if somebody waits for the run in a thread that goes on after the main thread.
    """

    def __init__(
        self, session: Session, backend: StartedThreadBackend, flow: FlowControl, is_awaited: Callable[[], bool]
    ) -> None:
        super().__init__(session, backend, flow)
        self._begin_times()
        self._is_awaited = is_awaited

    def has_reader(self) -> bool:
        """Return True if somebody waits for the run in a thread that goes on after the main thread."""
        return self._is_awaited()

    def request_end(self, reason: str) -> None:
        """Make the run end; from any thread, without waiting."""
        self._inbox.end(Wakeup([], StreamClosed(reason)))
        self._session.stop.set()

    def _start(self, task: Task, alone: bool) -> None:
        self._record_start(task, alone)
        super()._start(task, alone)
        self._placed = None


class StartedLoopStream(_Timed, AsyncGraphStream[object]):
    """The parts of a started run, which an asyncio task pulls into the log; see `StartedThreadStream`."""

    def __init__(self, session: Session, backend: StartedLoopBackend, flow: FlowControl) -> None:
        super().__init__(session, backend, flow)
        self._begin_times()

    def request_end(self, task: asyncio.Task[None]) -> None:
        """Make the run end; on its loop, without waiting.

        A cancellation can be lost in a node that runs in the task itself: in `asyncio.wait_for` before Python 3.12
        (CPython #86296), with which clients of models wait for each chunk. The model ends at its next token then.

        Args:
            task: The task that pulls the parts.
        """
        self._session.stop.set()
        task.cancel()

    async def _start(self, task: Task, alone: bool) -> None:
        self._record_start(task, alone)
        await super()._start(task, alone)
        self._placed = None
