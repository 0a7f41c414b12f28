"""The streams that drive started runs: nobody gets their chunks, since their parts go to a log."""

from __future__ import annotations

from time import monotonic
from typing import Any, Callable, Coroutine, Dict, Optional, Tuple

from streamgraph._core.task import Task
from streamgraph._drivers.backend_asyncio import AsyncioBackend
from streamgraph._drivers.backend_threads import ThreadBackend
from streamgraph._drivers.driver_asyncio import AsyncGraphStream
from streamgraph._drivers.driver_threads import GraphStream
from streamgraph._drivers.reader_capacity import ReaderCapacity
from streamgraph._drivers.stream import Stream, Wakeup
from streamgraph._protocols import Coalescer, Questions, Session
from streamgraph._signals import RunningTask
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.flow import UNLIMITED, FlowControl
from streamgraph.errors import StreamClosed


class StartedThreadBackend(ThreadBackend):
    """Backend of a run that a thread of its own drives.

    Args:
        capacity: The capacity for its parts.
        coalescer: Is not used: the inbox has no limit of its own.
    """

    def __init__(self, capacity: ReaderCapacity, coalescer: Coalescer) -> None:
        super().__init__(UNLIMITED, coalescer)
        capacity.open(self.inbox)
        self.capacity = capacity


class StartedLoopBackend(AsyncioBackend):
    """Backend of a run that an asyncio task drives; see `StartedThreadBackend`."""

    def __init__(self, capacity: ReaderCapacity, coalescer: Coalescer) -> None:
        super().__init__(UNLIMITED, coalescer)
        capacity.open(self.inbox)
        self.capacity = capacity


class _Timed(Stream):
    """A stream that knows since when its tasks run, for heartbeats of its readers."""

    @property
    def ns(self) -> Tuple[str, ...]:
        """The namespace of the graph."""
        return self._session.run.ns

    @property
    def stop(self) -> CancelToken:
        """The cancel token of the run."""
        return self._session.stop

    @property
    def live(self) -> Optional[Questions]:
        """The open questions, if they are answered while the run goes on."""
        return self._session.questions

    def _begin_times(self) -> None:
        self._begun_at: Dict[str, Tuple[Task, float]] = {}

    def _record_start(self, task: Task) -> None:
        times = self._begun_at
        if len(times) > _MANY + 2 * len(self._jobs):
            self._begun_at = times = {known: times[known] for known in tuple(times) if known in self._jobs}
        times[task.id] = (task, monotonic())

    def running(self) -> Tuple[RunningTask, ...]:
        """Return the tasks that run; from any thread."""
        now, jobs = monotonic(), self._jobs
        found = []
        for task, began in tuple(self._begun_at.values()):
            job = jobs.get(task.id)
            if job is not None and not job.over:
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
        self._record_start(task)
        super()._start(task, alone)


class StartedLoopStream(_Timed, AsyncGraphStream[object]):
    """The parts of a started run, which an asyncio task pulls into the log; see `StartedThreadStream`."""

    def __init__(self, session: Session, backend: StartedLoopBackend, flow: FlowControl) -> None:
        super().__init__(session, backend, flow)
        self._begin_times()

    def _start(self, task: Task, alone: bool) -> Coroutine[Any, Any, None]:
        self._record_start(task)
        return super()._start(task, alone)
