"""The asyncio driver: the loop owns the run, tasks run in place or as asyncio tasks."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Callable, List, Optional, Type, TypeVar
from weakref import WeakMethod

from streamgraph._core.effects import CancelTasks, Finish, Note, OpenStep, Save, StartTask
from streamgraph._core.events import TaskFailed
from streamgraph._core.task import Task
from streamgraph._drivers.backend_asyncio import AsyncioBackend
from streamgraph._drivers.calls_asyncio import ContextCoroutine, drive, wait_cancelled
from streamgraph._drivers.generator_api import AsyncGeneratorStream
from streamgraph._drivers.shutdown import HERE
from streamgraph._drivers.stream import Stream, Wakeup, ending
from streamgraph._propagation import is_awaited
from streamgraph._protocols import Call, Session
from streamgraph._streams.flow import UNLIMITED, FlowControl
from streamgraph._streams.part import Part
from streamgraph._streams.router import NO_CHUNK
from streamgraph.errors import EventLoopError, StreamBusyError, StreamClosed

_TURN = 64
"""Number of chunks, taken without waiting, after which other tasks of the loop get a turn."""

ChunkT = TypeVar("ChunkT")


class AsyncGraphStream(Stream, AsyncGeneratorStream[ChunkT]):
    """The chunks of a running graph, made as they are awaited.

    An async generator and an async context manager: leaving the `async with` block, `aclose()`, cancelling the task
    that awaits a chunk, or dropping the stream stops the run. Each item may be awaited in a different task of one loop,
    one at a time.
    """

    def __init__(self, session: Session, backend: AsyncioBackend, flow: FlowControl = UNLIMITED) -> None:
        super().__init__(session, flow)
        self._backend = backend
        self._inbox = backend.inbox
        self._pool = backend.pool
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        # The consumer's task while it runs a node in place, and the future with which aclose() in another task waits
        # for it.
        self._in_place_task: Optional[asyncio.Task[Any]] = None
        self._in_place_ended: Optional[asyncio.Future[None]] = None

    def __aiter__(self) -> AsyncGraphStream[ChunkT]:
        return self

    async def __anext__(self) -> ChunkT:
        if self._ended:
            chunk = self._pull_left()
            if chunk is NO_CHUNK:
                raise StopAsyncIteration
            return chunk  # type: ignore[no-any-return]
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise _no_loop() from None
        if self._loop is not None and self._loop is not loop:
            raise _other_loop()
        if not self._pull_lock.acquire(False):
            raise StreamBusyError("another asyncio task, or by one of the graph's own nodes")
        try:
            late = None if self._clock is None else self._clock.pull()
            if late is not None and self._timeout_error is None:
                self._time_out(late, self._inbox.put)
                self._backend.cancel_all()
            if not self._begun:
                await self._begin(loop)
            elif not self._seq % _TURN:
                # A consumer with thousands of chunks in the inbox would otherwise block the loop until it has taken
                # them all.
                await asyncio.sleep(0)
            chunk = await self._advance()
        except BaseException as error:
            if self._closed_meanwhile() and isinstance(error, (Exception, CancelledError, StreamClosed)):
                # Another task has closed the stream, which caused this error.
                raise StopAsyncIteration from None
            was_stopped = self._session.stop.is_set
            await self._end(error)
            if was_stopped and isinstance(error, StreamClosed) and not is_awaited():
                # The parent run has ended. In a task that a node has created, the exception may never be retrieved.
                raise CancelledError from None
            chunk = self._last_chunk(error)
            if chunk is NO_CHUNK:
                raise
        finally:
            self._pull_lock.release()
        if chunk is NO_CHUNK:
            raise StopAsyncIteration
        self._seq += 1
        return chunk  # type: ignore[no-any-return]

    async def __aenter__(self) -> AsyncGraphStream[ChunkT]:
        return self

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        await self.aclose()

    def abandon(self) -> None:
        """End the run without a consumer; from any thread."""
        if self._ended:
            return
        self._mark_ended("closed")
        self._session.stop.set()
        self._pool.leaving = True
        self._backend.close()
        self._backend.cancel_from_outside()
        closing = self._session.closing(GeneratorExit("the consumer dropped the stream"), self._take_unsaved())
        for call in closing:
            # What would have to be awaited cannot be: the loop may have stopped. So a saver that needs its loop stores
            # no more, and what is being stored beside the run is not waited for.
            if isinstance(call, Call) and call.action.sync is not None and not (call.shielded and call.action.asyn):
                call.action.sync(*call.args)

    def has_reader(self) -> bool:
        """Return True if a running loop may still consume the stream after the end of the main thread."""
        return self._loop is not None and self._loop.is_running() and super().has_reader()

    def _take_inbox(self) -> List[object]:
        taken: List[object] = []
        while not self._inbox.empty:
            taken.append(self._inbox.take())
        return taken

    async def aclose(self) -> None:
        """Stop the run: async nodes are cancelled and have ended when this returns.

        A sync node in a thread ends at its next token or writer call.
        """
        if self._ended:
            return
        await self._end(GeneratorExit("the consumer closed the stream"))
        if self._in_place_task is not None and self._in_place_task is not asyncio.current_task():
            assert self._loop is not None
            self._in_place_task.cancel()
            self._in_place_ended = self._loop.create_future()
            await self._in_place_ended
            await self._wait_for_nested_runs()

    async def aanswer(self, id: str, value: object) -> None:  # noqa: A002
        """Answer a question of the run; see `answer`, which does not block the loop either."""
        self.answer(id, value)

    async def run(self) -> Any:
        """Consume all chunks and return the output."""
        async for _ in self:
            pass
        return self.output

    @property
    def ag_running(self) -> bool:
        """True while a chunk is being awaited."""
        return self._pull_lock.locked()

    @property
    def ag_suspended(self) -> bool:
        """True if the run has begun, has not ended, and no chunk is being awaited."""
        return self._begun and not self._ended and not self.ag_running

    @property
    def buffered(self) -> int:
        """Number of chunks in the inbox."""
        return self._inbox.parts

    async def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._mark_begun()
        self._loop, self._reader_link = loop, HERE.link
        self._session.stop.runner = self._backend
        self._inbox.open(self._loop)
        if self._session.must_watch(self._loop):
            self._session.stop.on_set(partial(_call_on_loop, self._loop, WeakMethod(self._end_with_parent_run)))
        work = self._session.opening(loop)
        if self._clock is None:
            self._effects.extend(await drive(work, self._pool))
        else:
            self._backend.open(work)

    def _closed_meanwhile(self) -> bool:
        return self._ended

    def _end_with_parent_run(self) -> None:
        """End the run: its parent run has ended and cannot cancel the tasks of a loop that a node has started."""
        if self._in_place_task is not None:
            self._in_place_task.cancel()
        elif not self._ended:
            self._inbox.put(Wakeup([], StreamClosed("the run around this one has ended")))

    async def _advance(self) -> Any:
        """Carry out effects until there is a chunk; return `NO_CHUNK` at the end of the run."""
        effects, inbox = self._effects, self._inbox
        while True:
            while effects:
                effect = effects.popleft()
                if type(effect) is StartTask:
                    await self._start(effect.task, effect.alone)
                    if self._ended:
                        return NO_CHUNK
                elif type(effect) is Part:
                    if self._parent_capacity is not None and self._parent_capacity.full:
                        await self._parent_capacity.wait()
                    chunk = self._chunk(effect)
                    if chunk is not NO_CHUNK:
                        return chunk
                elif type(effect) is OpenStep:
                    effects.extend(self._session.run.open_step())
                elif isinstance(effect, (Note, Save)):
                    await drive(self._session.keep(effect), self._pool)
                elif isinstance(effect, Finish):
                    await self._finish()
                    return self._last_chunk()
                elif isinstance(effect, CancelTasks):
                    for task in effect.tasks:
                        self._jobs[task.id].stop.set()
                        self._backend.cancel(task.id)
                else:
                    raise self._session.outward(ending(effect))
            event = inbox.take()
            if event is None:
                event = await (inbox.wait() if self._clock is None else self._wait_or_heartbeat())
                if self._ended:
                    return NO_CHUNK
            if event is None:
                continue
            if isinstance(event, Part):
                chunk = self._router.shape(event)
                if chunk is not NO_CHUNK:
                    return chunk
            else:
                self._feed(event)

    async def _wait_or_heartbeat(self) -> Optional[Part]:
        """Wait until there may be an item in the inbox; return a heartbeat if one is due, else `None`.

        Raises:
            RunTimeoutError: The time limit of the run is over.
            StepTimeoutError: The time limit of the step is over.
        """
        assert self._clock is not None
        heartbeat = self._clock.poll()
        if heartbeat is None:
            await self._inbox.wait(self._clock.seconds_left())
        return heartbeat

    async def _start(self, task: Task, alone: bool) -> None:
        if self._session.stop.is_set or self._timeout_error is not None:
            self._check_wanted()
        job, inbox = self._session.job(task), self._inbox
        if alone and self._in_place:
            in_place = ContextCoroutine(drive(job.work, self._pool, job.stop), job.context, self._pool.leave)
            self._in_place_task = asyncio.current_task()
            try:
                event = await in_place
            finally:
                self._in_place_task = None
                if self._in_place_ended is not None:
                    # aclose() in another task has cancelled this task to reach the node.
                    _uncancel()
                    # The other task may itself have been cancelled meanwhile.
                    if not self._in_place_ended.done():
                        self._in_place_ended.set_result(None)
            if in_place.interrupted and isinstance(event, TaskFailed) and isinstance(event.error, CancelledError):
                raise event.error
            self._pool.leaving = False
            if inbox.empty:
                self._feed(event)
            else:  # the events of its subtasks come first
                inbox.put(event)
            return
        self._jobs[task.id] = job
        if self._clock is not None:
            self._clock.started(task, job)
        self._backend.start(task, job)

    async def _finish(self) -> None:
        await drive(self._session.closing(None), self._pool)
        self._session.stop.finish()
        self._mark_ended("done")
        self._backend.close()

    async def _end(self, error: BaseException) -> None:
        """End the run early, for a failure or because the consumer has left; its asyncio tasks have ended on return."""
        if self._ended:
            return
        self._mark_ended("failed" if isinstance(error, Exception) else "closed", error)
        self._session.stop.set()
        self._pool.leaving = True
        unsaved = self._take_unsaved()
        running = self._backend.cancel_all()
        try:
            await wait_cancelled(running)
            await self._wait_for_nested_runs()
        finally:
            self._backend.close()
            if self._begun:
                await drive(self._session.closing(error, unsaved), self._pool)

    async def _wait_for_nested_runs(self) -> None:
        """Wait for the tasks of nested runs: a node that an exception ends drops its streams without waiting."""
        for stop in self._session.stop.descendants():
            if isinstance(stop.runner, AsyncioBackend) and stop.runner.is_on(self._loop):
                await wait_cancelled(stop.runner.cancel_all())


def _no_loop() -> EventLoopError:
    return EventLoopError(
        "astream() and ainvoke() need asyncio's event loop, which does not run here",
        hint="Under trio, read the sync stream() in a thread: await trio.to_thread.run_sync(...).",
    )


def _other_loop() -> EventLoopError:
    return EventLoopError(
        "This stream belongs to another event loop: the one on which its first chunk was awaited",
        hint="Read it and close it there; the sync stream() can be read in any thread.",
    )


def _call_on_loop(loop: asyncio.AbstractEventLoop, method: WeakMethod[Callable[[], None]]) -> None:
    """Call a method on its loop, if both still exist; from any thread."""

    def call() -> None:
        found = method()
        if found is not None:
            found()

    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(call)


def _uncancel() -> None:
    # Tasks count their cancellations from Python 3.11 on.
    uncancel = getattr(asyncio.current_task(), "uncancel", None)
    if uncancel is not None:
        uncancel()
