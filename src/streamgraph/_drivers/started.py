"""A run that was started on its own: it goes on by itself, and what it streams goes to its log."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Sequence, Set, Tuple, Union
from weakref import ReferenceType

from typing_extensions import Literal

from streamgraph._drivers.questions import answer_live
from streamgraph._drivers.readable_run import ENDED, UNKNOWN, ReadableRun
from streamgraph._drivers.reader_capacity import ReaderCapacity
from streamgraph._drivers.recorder import Lag, Recorder
from streamgraph._drivers.shutdown import HERE, Reader, drop, opened, over
from streamgraph._drivers.started_streams import (
    StartedLoopBackend,
    StartedLoopStream,
    StartedThreadBackend,
    StartedThreadStream,
)
from streamgraph._drivers.workers import WORKERS
from streamgraph._propagation import current_loop
from streamgraph._protocols import Coalescer, Partial, Questions, Session
from streamgraph._signals import Paused, RunningTask, Unstreamed
from streamgraph._streams.event_log import BATCH, EventLog, RunEnd, RunFacts, RunStatus
from streamgraph._streams.flow import FlowControl
from streamgraph._streams.part import Part
from streamgraph._streams.router import NO_CHUNK
from streamgraph.errors import GraphDrained, StreamClosed

OnDisconnect = Literal["continue", "cancel"]
"""What becomes of a started run when its last reader leaves."""

_PAUSE: object = object()
"""The chunk that a run hands to its own driver when a reader holds it back, or the loop's other tasks get a turn."""

_driving: Set[asyncio.Task[None]] = set()
"""Strong references to the asyncio tasks that drive runs: an event loop holds only weak ones."""


class StartedRun(ReadableRun):
    """A run that goes on by itself, in a thread or in a task of an event loop.

    Args:
        run_id: Its id.
        log: Keeps what it streams.
        recorded: The modes that it records of its graph, and of nested graphs.
        on_disconnect: What becomes of it when its last reader leaves.
        shows: What it records is also shown in another way, such as printed, so that parts pass the router.

    Attributes:
        capacity: Limits what it makes, for readers that hold it back.
        live: Its open questions, if they are answered while it goes on.
    """

    log: EventLog

    def __init__(
        self,
        run_id: str,
        log: EventLog,
        recorded: Tuple[FrozenSet[str], FrozenSet[str]],
        on_disconnect: OnDisconnect,
        *,
        shows: bool = False,
    ) -> None:
        super().__init__()
        self.log = log
        self._facts = RunFacts(run_id, (), *(tuple(sorted(modes)) for modes in recorded))
        self._recorder = Recorder(log, self._log_failed)
        self._put = self._show if shows else self._recorder.put
        self.capacity = ReaderCapacity(self._recorder, self._put)
        self.live: Optional[Questions] = None
        self._unstreamed: Sequence[Unstreamed] = ()
        self._partial: Partial = Partial({}, None)
        self._on_disconnect = on_disconnect
        self._stream: Union[StartedThreadStream, StartedLoopStream, None] = None
        self._task: Optional[asyncio.Task[None]] = None
        self._cancel_requested = False
        self._recorded = 0
        self._readers: Dict[int, ReferenceType[Reader]] = {}
        log.on_change(self.changed.wake)
        log.on_signal(self._on_signal)

    # How it is started

    def start_in_thread(
        self, session: Callable[[StartedThreadBackend], Session], coalescer: Coalescer, flow: FlowControl
    ) -> None:
        """Start the run in a thread.

        Args:
            session: Returns the session for a backend.
            coalescer: Merges parts.
            flow: The time limits of the run.

        Raises:
            RuntimeError: The system has no more threads.
        """
        backend = StartedThreadBackend(self._put, self.capacity, coalescer)
        stream = StartedThreadStream(session(backend), backend, flow, self._is_awaited)
        self.ns, self.live = stream.ns, stream.live
        self._stream = stream
        context = copy_context()
        opened(stream)  # already now: the program may come to its end before the thread begins
        try:
            WORKERS.do(lambda: context.run(self._drive, stream))
        except BaseException:
            over(stream)
            raise

    def start_on_loop(
        self, session: Callable[[StartedLoopBackend], Session], coalescer: Coalescer, flow: FlowControl
    ) -> None:
        """Start the run in a task of the running event loop; see `start_in_thread`."""
        loop = self.loop = asyncio.get_running_loop()
        backend = StartedLoopBackend(self._put, self.capacity, coalescer)
        stream = StartedLoopStream(session(backend), backend, flow)
        self.ns, self.live = stream.ns, stream.live
        self._stream = stream
        self._task = loop.create_task(self._adrive(stream))
        _driving.add(self._task)
        self._task.add_done_callback(self._driven)

    def record(self, part: Part) -> object:
        """Add a part to the log; the chunk of it is for this class only."""
        self._recorder.put(part)
        self._recorded += 1
        held = self._recorder.lags and self.capacity.held
        return NO_CHUNK if self._recorded % BATCH and not held else _PAUSE

    def _begin(self) -> None:
        limit = self.log.max_unstored
        if limit is not None:
            self.log.on_stored(self.capacity.join(limit, _every).took)
        self.log.begin(self._facts._replace(ns=self.ns))

    def _show(self, part: Part) -> None:
        """Take a part that a node emits through the router."""
        stream = self._stream
        if stream is not None:
            stream.shape(part)

    def _log_failed(self, error: BaseException) -> None:
        self._error = error
        self.cancel()

    def _drive(self, stream: StartedThreadStream) -> None:
        error: Optional[BaseException] = None
        self._begin()
        try:
            for _ in stream:
                self.capacity.wait_in_thread(stream.stop)
        except BaseException as raised:  # of any node; it is raised to those who read
            error = raised
        self._end(stream, error)

    async def _adrive(self, stream: StartedLoopStream) -> None:
        self._begin()
        try:
            async for _ in stream:
                await self.capacity.wait()
                await asyncio.sleep(0)
        except (KeyboardInterrupt, SystemExit) as error:
            self._end(stream, error)
            raise
        except BaseException as error:
            self._end(stream, error)
        else:
            self._end(stream, None)

    def _driven(self, task: asyncio.Task[None]) -> None:
        _driving.discard(task)
        if task.cancelled():
            # Cancelled before its first step, so it could not report its end itself.
            self._end(None, asyncio.CancelledError())
        elif task.exception() is not None:
            return  # it has reached the loop, and the readers

    def _end(self, stream: Union[StartedThreadStream, StartedLoopStream, None], error: Optional[BaseException]) -> None:
        """Record how the run has ended, and let go of what only a running one needs."""
        if self.log.status in ENDED:
            return
        status: RunStatus = "cancelled"
        if self._error is not None:
            status = "failed"
        elif error is None and stream is not None and stream.status in ("done", "paused"):
            self._output = stream.output
            status = "interrupted" if stream.status == "paused" else "done"
        elif isinstance(error, GraphDrained):
            self._error, status = error, "interrupted"
        elif error is not None and not self._cancel_requested and not isinstance(error, _CANCELLATIONS):
            self._error, status = error, "failed"
        if self._error is not None:
            self._traceback = self._error.__traceback__
        if stream is not None:
            if stream.status != "done" and not isinstance(error, Exception):  # otherwise the stream has done so
                stream.end_messages()
            self._partial, self.asked, self._unstreamed = stream.partial, stream.questions, stream.unstreamed()
        self._stream = self._task = None
        self._put = self._recorder.put
        self.capacity.close()
        output = None if self._output is UNKNOWN else self._output
        self._recorder.close(status, RunEnd(output, self._error, self.asked, *self._partial))
        self._ended.wake()

    # How it is ended

    def cancel(self) -> None:
        """Ask the run to end, if it has not ended; from any thread, without waiting."""
        stream, task = self._stream, self._task
        if self._cancel_requested or stream is None:
            return
        self._cancel_requested = True
        if isinstance(stream, StartedThreadStream):
            stream.request_end("the run was cancelled")
        elif task is not None and self.loop is not None:
            if current_loop() is self.loop:
                stream.request_end(task)
            else:
                try:
                    self.loop.call_soon_threadsafe(stream.request_end, task)
                except RuntimeError:  # the loop is closed
                    self.check_loop()

    def check_loop(self) -> None:
        """End the run if it was on an event loop that is closed."""
        stream = self._stream
        if self.loop is None or not self.loop.is_closed() or stream is None:
            return
        if self._task is not None:
            _driving.discard(self._task)
        stream.abandon()
        self._cancel_requested = True
        self._end(stream, None)

    def _on_signal(self, kind: str, *details: Any) -> object:
        if kind == "cancel":
            self.cancel()
        elif kind == "answer":
            self.answer(*details)
        elif kind == "questions":
            return self.questions()
        elif kind == "fail":
            self._log_failed(*details)
        return None

    # Who reads it

    def answer(self, id: str, value: object) -> None:  # noqa: A002  (the field's name)
        """Answer an open question; see `answer_live`."""
        answer_live(self.live, id, value)

    def questions(self) -> List[Paused]:
        """Return the questions that wait for an answer."""
        return list(self.asked) if self.live is None or self.is_over() else self.live.paused

    def is_paused(self) -> bool:
        """Return True if an open question waits."""
        return self.live is not None and bool(self.live.paused)

    def hold(self, limit: int, wants: Callable[[Part], bool]) -> Lag:
        """Let a reader hold the run back; see `ReadableRun`."""
        return self.capacity.join(limit, wants)

    def release(self, lag: Lag) -> None:
        """Let the run go on without a reader; from any thread, or a finalizer."""
        self.capacity.leave(lag)

    def joined(self, reader: object) -> None:
        """Record that somebody reads the run, who is in this thread at the moment."""
        self._readers[id(reader)] = HERE.link

    def left(self, reader: object, *, dropped: bool = False) -> None:
        """Record that a reader has gone.

        Args:
            reader: The reader.
            dropped: It was collected, maybe in the middle of anything.
        """
        self._readers.pop(id(reader), None)
        if self._on_disconnect == "cancel" and self._stream is not None and not (self._readers or self._joining):
            if dropped:
                drop(_Cancelling(self))
            else:
                self.cancel()

    def _is_awaited(self) -> bool:
        readers = [link() for link in (*self._readers.values(), *self._joining.values())]
        return any(reader is not None and reader.goes_on() for reader in readers)

    def running(self) -> Tuple[RunningTask, ...]:
        """Return the tasks that run."""
        stream = self._stream
        return () if stream is None else stream.running()

    def partial_now(self) -> Partial:
        """Return the result so far."""
        stream = self._stream
        return self._partial if stream is None else stream.partial

    def unstreamed_now(self) -> Sequence[Unstreamed]:
        """Return the model calls that were not streamed so far."""
        stream = self._stream
        return self._unstreamed if stream is None else stream.unstreamed()


_CANCELLATIONS = (asyncio.CancelledError, StreamClosed, GeneratorExit)


def _every(part: Part) -> bool:
    return True


class _Cancelling:
    """Cancels a run whose last reader was collected, in the thread that ends dropped streams."""

    def __init__(self, run: StartedRun) -> None:
        self.abandon = self.tell = run.cancel

    def has_reader(self) -> bool:
        """Return False: nobody reads the run any more."""
        return False
