"""The blocking driver: the caller's thread owns the run, tasks run in place or in threads."""

from __future__ import annotations

from concurrent.futures import wait
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import Empty
from types import TracebackType
from typing import Any, List, Optional, Type, TypeVar

from streamgraph._core.effects import CancelTasks, Effect, Fail, Finish, StartTask
from streamgraph._core.task import Task
from streamgraph._drivers.generator_api import GeneratorStream
from streamgraph._drivers.inbox_threads import AnyInbox, BoundedInbox, Inbox
from streamgraph._drivers.overflow import overflow_queue
from streamgraph._drivers.portal import Portal
from streamgraph._drivers.shutdown import HERE
from streamgraph._drivers.stream import Stream, Wakeup
from streamgraph._drivers.workers import RunThreads
from streamgraph._propagation import is_propagated, propagates
from streamgraph._protocols import Call, Session, TaskRun, Work, never_block, on_loop, wrap_for_throw
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.flow import UNLIMITED, FlowControl
from streamgraph._streams.part import Part
from streamgraph._streams.router import NO_CHUNK
from streamgraph.errors import StreamBusyError, StreamClosed

ChunkT = TypeVar("ChunkT")
T = TypeVar("T")


class GraphStream(Stream, GeneratorStream[ChunkT]):
    """The chunks of a running graph, made as they are pulled.

    A generator and a context manager: leaving the `with` block, `close()` or dropping the stream stops
    the run. It may be pulled from different threads, one at a time.
    """

    def __init__(self, session: Session, flow: FlowControl = UNLIMITED) -> None:
        super().__init__(session, flow)
        self._inbox: AnyInbox = Inbox()
        if flow.max_buffer is not None:
            self._inbox = BoundedInbox(overflow_queue(flow, session.coalescer))
        self._portal = Portal()
        router, put = session.router, self._inbox.put
        spawn = partial(_spawn, self._pool, self._portal)
        session.connect(router.connect(put), spawn, router.capacity(put, self._inbox.capacity))

    def __iter__(self) -> GraphStream[ChunkT]:
        return self

    def __next__(self) -> ChunkT:
        if self._ended:
            self._raise_failure()
            raise StopIteration
        if not self._turn.acquire(False):
            raise self._busy()
        try:
            self._read_by = HERE.link
            if self._clock is not None and self._clock.pull() and self._timeout_error is None:
                self._time_out(self._inbox.end)
            if not self._begun:
                self._begin()
            chunk = self._advance()
        except BaseException as error:
            if self._closed_meanwhile() and isinstance(error, (Exception, StreamClosed)):
                # It was closed in another thread, and this is what came of that.
                raise StopIteration from None
            told = self._session.stop.is_set
            self._end(error)
            if told and isinstance(error, StreamClosed) and not is_propagated() and not on_loop():
                # The run around this one has ended, and a node has handed the stream to a thread of its own.
                raise StopIteration from None
            chunk = self._last_part(error)
            if chunk is NO_CHUNK:
                raise
        finally:
            self._turn.release()
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
        """Stop the run: nothing more is started, and what runs ends at its next token or writer call."""
        if not self._ended:
            self._end(GeneratorExit("the consumer closed the stream"))

    abandon = close

    def run(self) -> Any:
        """Pull everything and return the output."""
        for _ in self:
            pass
        return self._output

    @property
    def gi_running(self) -> bool:
        """Whether it is being pulled."""
        return self._turn.locked()

    @property
    def gi_suspended(self) -> bool:
        """Whether its run has begun, and goes on when it is pulled again."""
        return self._begun and not self._ended and not self.gi_running

    @property
    def buffered(self) -> int:
        """How many chunks wait to be handed out."""
        return self._inbox.parts

    def _begin(self) -> None:
        self._mark_begun()
        work, pool, portal, stop = self._session.opening(), self._pool, self._portal, self._session.stop
        if self._clock is None:
            self._commands.extend(_drive(work, pool, portal, stop))
        else:
            pool.start(copy_context().run, _open, self._inbox, work, pool, portal, stop)

    def _closed_meanwhile(self) -> bool:
        return self._ended

    def _busy(self) -> StreamBusyError:
        reader = self._read_by()
        own = "; it is this one: a node pulls the stream that it runs in" if reader is HERE.reader else ""
        return StreamBusyError(f"thread {'?' if reader is None else reader.thread.name!r}{own}")

    def _advance(self) -> Any:
        """Carry on until there is a chunk, or return `NO_CHUNK` at the end of the run."""
        commands, inbox, clock = self._commands, self._inbox, self._clock
        while True:
            while commands:
                command = commands.popleft()
                if isinstance(command, StartTask):
                    self._start(command.task, command.alone)
                    if self._ended:
                        return NO_CHUNK
                elif isinstance(command, Part):
                    chunk = self._chunk(command)
                    if chunk is not NO_CHUNK:
                        return chunk
                elif isinstance(command, Finish):
                    self._finish(command.output)
                    return NO_CHUNK
                elif isinstance(command, CancelTasks):
                    for task in command.tasks:
                        self._jobs[task.id].stop.set()
                else:
                    assert isinstance(command, Fail)
                    raise command.error
            event = inbox.get() if clock is None else self._wait_or_heartbeat()
            if type(event) is Part:
                chunk = self._router.shape(event)
                if chunk is not NO_CHUNK:
                    return chunk
            else:
                inbox.ended()
                if self._ended:
                    return NO_CHUNK
                self._feed(event)

    def _wait_or_heartbeat(self) -> Any:
        """Return the next event, or a heartbeat if it takes its time.

        Raises:
            RunTimeoutError: The run has taken longer than it may.
        """
        assert self._clock is not None
        seconds_left = 0.0
        while True:
            with suppress(Empty):
                return self._inbox.get(timeout=seconds_left)
            word = self._clock.poll()
            if word is not None:
                return word
            seconds_left = self._clock.seconds_left()

    def _start(self, task: Task, alone: bool) -> None:
        if self._session.stop.is_set or self._timeout_error is not None:
            self._check_wanted()
        job = self._session.job(task)
        if alone and self._in_place:
            done = job.context.run(_drive, job.work, self._pool, self._portal, job.stop)
            if self._inbox.empty:
                self._feed(done)
            else:  # tasks that it has called come first
                self._inbox.end(done)
        else:
            if self._above is not None and on_loop():
                # A loop waits here, and the consumer of the run around may be on it.
                job.context.run(never_block.set, True)
            self._jobs[task.id] = job
            if self._clock is not None:
                self._clock.started(task, job)
            self._pool.start(job.context.run, _report, self._inbox, self._pool, self._portal, job)

    def _finish(self, output: Any) -> None:
        closing = self._session.closing(output, None)
        if closing is not None:
            _drive(closing, self._pool, self._portal, self._session.stop)
        self._output = output
        self._session.stop.finish()
        self._mark_ended("done")
        self._release()

    def _end(self, error: BaseException) -> None:
        """End the run before its time, for whatever reason."""
        if self._ended:
            return
        self._mark_ended("failed" if isinstance(error, Exception) else "closed")
        self._session.stop.set()
        self._commands.clear()
        self._inbox.end(Wakeup([]))  # who pulls in another thread is not to wait for what runs
        self._release()
        closing = self._session.closing(None, error) if self._begun else None
        if closing is not None:
            _drive(closing, self._pool, self._portal, self._session.stop)

    def _release(self) -> None:
        if self._inbox.capacity is not None:
            self._inbox.capacity.close()
        self._portal.close()


# The functions below know the inbox but not the stream: a stream that only its own workers still know of is to be
# collected, and its run stopped.


def _open(inbox: AnyInbox, work: Work[List[Effect]], pool: RunThreads, portal: Portal, stop: CancelToken) -> None:
    try:
        inbox.end(Wakeup(_drive(work, pool, portal, stop)))
    except BaseException as error:
        inbox.end(Wakeup([], error))


def _report(inbox: AnyInbox, pool: RunThreads, portal: Portal, job: TaskRun) -> None:
    try:
        event = _drive(job.work, pool, portal, job.stop)
        job.over = True
        inbox.end(event)
    except BaseException as error:
        # Work that does not end as it should must not leave the reader waiting.
        inbox.end(Wakeup([], error))


def _spawn(pool: RunThreads, portal: Portal, job: TaskRun) -> None:
    pool.start(job.context.run, _drive, job.work, pool, portal, job.stop)


@propagates
def _drive(work: Work[T], pool: RunThreads, portal: Portal, stop: CancelToken) -> T:
    """Make the calls of `work`, one after the other, and return its result."""
    try:
        call = next(work)
        while True:
            sync, asyn = call.action
            try:
                if call.watch is not None:
                    value = _within(call, pool, portal)
                elif sync is not None:
                    value = sync(*call.args)
                else:
                    assert asyn is not None
                    value = portal.call(asyn, call.args, stop)
            except BaseException as error:
                call = work.throw(wrap_for_throw(error))
            else:
                call = work.send(value)
    except StopIteration as result:
        return result.value  # type: ignore[no-any-return]


def _within(call: Call, pool: RunThreads, portal: Portal) -> Any:
    """Make a call that may take only so long.

    Raises:
        NodeTimeoutError: It has taken longer. What runs in a thread cannot be cancelled: it is told to stop, and
            ends at its next token or writer call, but nobody waits for that.
    """
    sync, asyn = call.action
    watch = call.watch
    assert watch is not None
    if sync is not None:
        running = pool.submit(copy_context().run, sync, *call.args)
    else:
        assert asyn is not None
        running = pool.submit(copy_context().run, partial(portal.call, asyn, call.args, watch.stop))
    while not wait([running], watch.remaining()).done:
        error = watch.error()
        if error is not None:
            watch.expire()
            if sync is None:
                wait([running])
            raise error
    return running.result()
