"""The blocking driver: the caller's thread owns the run, tasks run in place or in threads."""

from __future__ import annotations

from concurrent.futures import wait
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Iterator, Optional, Type, TypeVar, Union

from streamgraph._core._commands import CancelTasks, Emit, Fail, Finish, StartTask
from streamgraph._core._events import Emitted, Event
from streamgraph._core._outlet import NO_CHUNK
from streamgraph._core._stop import Stop
from streamgraph._core._task import Task
from streamgraph._drivers._portal import Portal
from streamgraph._drivers._stream import Pool, Stream
from streamgraph._seam import Call, Job, Session, Work, carried

ChunkT = TypeVar("ChunkT")
T = TypeVar("T")


class GraphStream(Stream, Iterator[ChunkT]):
    """The chunks of a running graph, made as they are pulled.

    An iterator and a context manager: leaving the `with` block, `close()` or dropping the stream stops
    the run. It may be pulled from different threads, one at a time.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._inbox: SimpleQueue[Union[Emitted, Event]] = SimpleQueue()
        self._portal = Portal()
        session.connect(session.outlet.connect(self._inbox.put), partial(_launch, self._pool, self._portal))

    def __iter__(self) -> GraphStream[ChunkT]:
        return self

    def __next__(self) -> ChunkT:
        if self._ended:
            raise StopIteration
        try:
            if not self._begun:
                self._begun = True
                self._commands.extend(_drive(self._session.opening(), self._pool, self._portal, self._session.stop))
            chunk = self._advance()
        except BaseException as error:
            self._end(error)
            raise
        if chunk is NO_CHUNK:
            raise StopIteration
        return chunk  # type: ignore[no-any-return]

    def __enter__(self) -> GraphStream[ChunkT]:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._begun:
            self.close()

    def close(self) -> None:
        """Stop the run: nothing more is started, and what runs ends at its next token or writer call."""
        if not self._ended:
            self._end(GeneratorExit("the consumer closed the stream"))

    def run(self) -> Any:
        """Pull everything and return the output."""
        for _ in self:
            pass
        return self._output

    def _advance(self) -> Any:
        """Carry on until there is a chunk, or return `NO_CHUNK` at the end of the run."""
        commands = self._commands
        while True:
            while commands:
                command = commands.popleft()
                if isinstance(command, StartTask):
                    self._start(command.task, command.alone)
                elif isinstance(command, Emit):
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
            event = self._inbox.get()
            if type(event) is Emitted:
                chunk = self._outlet.shape(event)
                if chunk is not NO_CHUNK:
                    return chunk
            else:
                self._feed(event)  # type: ignore[arg-type]

    def _start(self, task: Task, alone: bool) -> None:
        job = self._session.job(task)
        if alone and not self._outlet.live:
            done = job.context.run(_drive, job.work, self._pool, self._portal, job.stop)
            if self._inbox.empty():
                self._feed(done)
            else:  # tasks that it has called come first
                self._inbox.put(done)
        else:
            self._jobs[task.id] = job
            self._pool.open().submit(job.context.run, _report, self._inbox, self._pool, self._portal, job)

    def _finish(self, output: Any) -> None:
        closing = self._session.closing(output, None)
        if closing is not None:
            _drive(closing, self._pool, self._portal, self._session.stop)
        self._output = output
        self._session.stop.finish()
        self._release()

    def _end(self, error: BaseException) -> None:
        """End the run before its time, for whatever reason."""
        if self._ended:
            return
        self._ended = True
        self._session.stop.set()
        self._commands.clear()
        self._release()
        closing = self._session.closing(None, error) if self._begun else None
        if closing is not None:
            _drive(closing, self._pool, self._portal, self._session.stop)

    def _release(self) -> None:
        self._ended = True
        self._pool.close()
        self._portal.close()


# The functions below know the inbox but not the stream: a stream that only its own workers still know of is to be
# collected, and its run stopped.


def _report(inbox: SimpleQueue[Union[Emitted, Event]], pool: Pool, portal: Portal, job: Job) -> None:
    inbox.put(_drive(job.work, pool, portal, job.stop))


def _launch(pool: Pool, portal: Portal, job: Job) -> None:
    pool.open().submit(job.context.run, _drive, job.work, pool, portal, job.stop)


def _drive(work: Work[T], pool: Pool, portal: Portal, stop: Stop) -> T:
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
                call = work.throw(carried(error))
            else:
                call = work.send(value)
    except StopIteration as result:
        return result.value  # type: ignore[no-any-return]


def _within(call: Call, pool: Pool, portal: Portal) -> Any:
    """Make a call that may take only so long.

    Raises:
        NodeTimeoutError: It has taken longer. What runs in a thread cannot be cancelled: it is told to stop, and
            ends at its next token or writer call, but nobody waits for that.
    """
    sync, asyn = call.action
    watch = call.watch
    assert watch is not None
    if sync is not None:
        running = pool.open().submit(copy_context().run, sync, *call.args)
    else:
        assert asyn is not None
        running = pool.open().submit(copy_context().run, partial(portal.call, asyn, call.args, watch.stop))
    while not wait([running], max(watch.remaining(), 0)).done:
        error = watch.error()
        if error is not None:
            watch.stop.set()
            if sync is None:
                wait([running])
            raise error
    return running.result()
