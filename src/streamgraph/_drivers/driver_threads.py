"""The blocking driver: the consumer's thread owns the run, tasks run in place or in threads."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty
from types import TracebackType
from typing import Any, List, Optional, Type, TypeVar

from streamgraph._core.effects import CancelTasks, Finish, Note, OpenStep, Save, StartTask
from streamgraph._core.task import Task
from streamgraph._drivers.backend_threads import ThreadBackend
from streamgraph._drivers.calls_threads import drive
from streamgraph._drivers.generator_api import GeneratorStream
from streamgraph._drivers.handover import never_block
from streamgraph._drivers.portal import Portal
from streamgraph._drivers.shutdown import HERE
from streamgraph._drivers.stream import Stream, Wakeup, ending
from streamgraph._propagation import is_propagated, on_loop
from streamgraph._protocols import Session, Work
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.flow import UNLIMITED, FlowControl
from streamgraph._streams.part import Part
from streamgraph._streams.router import NO_CHUNK
from streamgraph.errors import StreamBusyError, StreamClosed

ChunkT = TypeVar("ChunkT")
T = TypeVar("T")


class GraphStream(Stream, GeneratorStream[ChunkT]):
    """The chunks of a running graph, made as they are pulled.

    A generator and a context manager: leaving the `with` block, `close()` or dropping the stream stops the run. It may
    be pulled from different threads, one at a time.
    """

    def __init__(self, session: Session, backend: ThreadBackend, flow: FlowControl = UNLIMITED) -> None:
        super().__init__(session, flow)
        self._backend = backend
        self._inbox = backend.inbox

    def __iter__(self) -> GraphStream[ChunkT]:
        return self

    def __next__(self) -> ChunkT:
        if self._ended:
            chunk = self._pull_left()
            if chunk is NO_CHUNK:
                raise StopIteration
            return chunk  # type: ignore[no-any-return]
        if not self._pull_lock.acquire(False):
            raise self._busy()
        try:
            self._reader_link = HERE.link
            late = None if self._clock is None else self._clock.pull()
            if late is not None and self._timeout_error is None:
                self._time_out(late, self._inbox.end)
            if not self._begun:
                self._begin()
            chunk = self._advance()
        except BaseException as error:
            if self._closed_meanwhile() and isinstance(error, (Exception, StreamClosed)):
                # Another thread has closed the stream, which caused this error.
                raise StopIteration from None
            was_stopped = self._session.stop.is_set
            self._end(error)
            if was_stopped and isinstance(error, StreamClosed) and not is_propagated() and not on_loop():
                # The parent run has ended, and a node has passed the stream to a thread of its own.
                raise StopIteration from None
            chunk = self._last_chunk(error)
            if chunk is NO_CHUNK:
                raise
        finally:
            self._pull_lock.release()
        if chunk is NO_CHUNK:
            raise StopIteration
        self._seq += 1
        return chunk  # type: ignore[no-any-return]

    def __enter__(self) -> GraphStream[ChunkT]:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the run: no more tasks start, and running nodes end at their next token or writer call."""
        if not self._ended:
            self._end(GeneratorExit("the consumer closed the stream"))

    abandon = close

    def run(self) -> Any:
        """Consume all chunks and return the output."""
        for _ in self:
            pass
        return self.output

    @property
    def gi_running(self) -> bool:
        """True while the stream is being pulled."""
        return self._pull_lock.locked()

    @property
    def gi_suspended(self) -> bool:
        """True if the run has begun, has not ended, and the stream is not being pulled."""
        return self._begun and not self._ended and not self.gi_running

    @property
    def buffered(self) -> int:
        """Number of chunks in the inbox."""
        return self._inbox.parts

    def _begin(self) -> None:
        self._mark_begun()
        work, stop = self._session.opening(), self._session.stop
        if self._clock is None:
            self._effects.extend(self._drive(work, stop))
        else:
            self._backend.open(work, stop)

    def _drive(self, work: Work[T], stop: CancelToken) -> T:
        return drive(work, self._backend.pool, self._backend.portal, stop)

    def _closed_meanwhile(self) -> bool:
        return self._ended

    def _busy(self) -> StreamBusyError:
        reader = self._reader_link()
        own = "; it is this one: a node pulls the stream that it runs in" if reader is HERE.reader else ""
        return StreamBusyError(f"thread {'?' if reader is None else reader.thread.name!r}{own}")

    def _advance(self) -> Any:
        """Carry out effects until there is a chunk; return `NO_CHUNK` at the end of the run."""
        effects, inbox, clock = self._effects, self._inbox, self._clock
        while True:
            while effects:
                effect = effects.popleft()
                if type(effect) is StartTask:
                    self._start(effect.task, effect.alone)
                    if self._ended:
                        return NO_CHUNK
                elif type(effect) is Part:
                    chunk = self._chunk(effect)
                    if chunk is not NO_CHUNK:
                        return chunk
                elif type(effect) is OpenStep:
                    effects.extend(self._session.run.open_step())
                elif isinstance(effect, (Note, Save)):
                    self._drive(self._session.keep(effect), self._session.stop)
                elif isinstance(effect, Finish):
                    self._finish()
                    return self._last_chunk()
                elif isinstance(effect, CancelTasks):
                    for task in effect.tasks:
                        self._jobs[task.id].stop.set()
                else:
                    raise self._session.outward(ending(effect))
            event = inbox.get() if clock is None else self._wait_or_heartbeat()
            if isinstance(event, Part):
                chunk = self._router.shape(event)
                if chunk is not NO_CHUNK:
                    return chunk
            else:
                inbox.ended()
                if self._ended:
                    return NO_CHUNK
                self._feed(event)

    def _take_inbox(self) -> List[object]:
        taken: List[object] = []
        with suppress(Empty):
            while True:
                taken.append(self._inbox.get(timeout=0))
                if not isinstance(taken[-1], Part):
                    self._inbox.ended()
        return taken

    def _wait_or_heartbeat(self) -> Any:
        """Return the next item of the inbox, or a heartbeat if one is due first.

        Raises:
            RunTimeoutError: The time limit of the run is over.
            StepTimeoutError: The time limit of the step is over.
        """
        assert self._clock is not None
        seconds_left = 0.0
        while True:
            with suppress(Empty):
                return self._inbox.get(timeout=seconds_left)
            heartbeat = self._clock.poll()
            if heartbeat is not None:
                return heartbeat
            seconds_left = self._clock.seconds_left()

    def _start(self, task: Task, alone: bool) -> None:
        if self._session.stop.is_set or self._timeout_error is not None:
            self._check_wanted()
        job = self._session.job(task)
        if alone and self._in_place:
            done = job.context.run(drive, job.work, self._backend.pool, self._backend.portal, job.stop)
            if self._inbox.empty:
                self._feed(done)
            else:  # the events of its subtasks come first
                self._inbox.end(done)
        else:
            if self._parent_capacity is not None and on_loop():
                # This thread blocks an event loop, and the consumer of the parent run may be on it.
                job.context.run(never_block.set, True)
            self._jobs[task.id] = job
            if self._clock is not None:
                self._clock.started(task, job)
            self._backend.start(job)

    def _finish(self) -> None:
        self._drive(self._session.closing(None), self._session.stop)
        self._session.stop.finish()
        self._mark_ended("done")
        self._backend.close()

    def _end(self, error: BaseException) -> None:
        """End the run early, because of a failure or because the consumer has left."""
        if self._ended:
            return
        self._mark_ended("failed" if isinstance(error, Exception) else "closed", error)
        self._session.stop.set()
        unsaved = self._take_unsaved()
        self._inbox.end(Wakeup([]))  # unblock a consumer in another thread
        self._backend.close()
        if self._begun:
            portal = Portal()  # that of the run has ended, and an async saver still has to store something
            try:
                drive(self._session.closing(error, unsaved), self._backend.pool, portal, self._session.stop)
            finally:
                portal.close()
