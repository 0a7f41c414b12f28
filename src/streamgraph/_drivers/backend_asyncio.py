"""Backend of the asyncio driver: an inbox, asyncio tasks, and worker threads."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from contextvars import Context, copy_context
from typing import Any, Callable, Coroutine, Dict, List, Optional, Sequence, Set

from streamgraph._core.effects import Effect
from streamgraph._core.events import TaskFailed
from streamgraph._core.task import Task
from streamgraph._drivers.calls_asyncio import drive, wait_cancelled
from streamgraph._drivers.inbox_asyncio import AsyncInbox, BoundedAsyncInbox
from streamgraph._drivers.overflow import overflow_queue
from streamgraph._drivers.shutdown import is_exiting
from streamgraph._drivers.stream import Wakeup
from streamgraph._drivers.workers import RunThreads
from streamgraph._protocols import Coalescer, TaskRun, Work
from streamgraph._streams.backpressure import ClosableCapacity
from streamgraph._streams.flow import FlowControl

_OPENING = "opening"

_running: Set[asyncio.Task[Any]] = set()
"""Strong references to the asyncio tasks of all runs. An event loop holds only weak ones: tasks that wait for each
other would be collected together with a dropped stream, in the middle of their work, instead of being cancelled."""


class AsyncioBackend:
    """The inbox and the asyncio tasks of one run.

    It holds no reference to the stream: a stream that is referenced only by its own tasks must be collected, so that
    its run is stopped.

    Args:
        flow: The consumer's flow-control options.
        coalescer: Merges parts in the inbox if the overflow policy is `"coalesce"`.

    Attributes:
        pool: Threads for calls that would block the loop.
    """

    asynchronous = True

    def __init__(self, flow: FlowControl, coalescer: Coalescer) -> None:
        bounded = None if flow.max_buffer is None else BoundedAsyncInbox(overflow_queue(flow, coalescer))
        self.inbox = bounded or AsyncInbox()
        self.put: Callable[[Any], None] = self.inbox.put
        self.capacity: Optional[ClosableCapacity] = None if bounded is None else bounded.capacity
        self.pool = RunThreads()
        self._tasks: Dict[str, asyncio.Task[Any]] = {}

    def open(self, work: Work[List[Effect]]) -> None:
        """Drive the opening work in an asyncio task, so that the consumer can get heartbeats meanwhile."""
        self._begin(_OPENING, copy_context(), self._open(work))

    def start(self, task: Task, job: TaskRun) -> None:
        """Start the asyncio task of a node; its event goes into the inbox."""

        def ended(running: asyncio.Task[Any]) -> None:
            self._tasks.pop(task.id, None)
            _running.discard(running)
            if running.cancelled():
                # Cancelled before its first step, so it could not report its end itself.
                self.inbox.put(TaskFailed(task, CancelledError()))

        self._begin(task.id, job.context, self._report(job), ended)

    def spawn(self, job: TaskRun) -> None:
        """Start a subtask; from the loop or from a thread."""
        loop = self.inbox.loop
        assert loop is not None
        key = f"beside:{id(job)}"

        def start() -> None:
            self._begin(key, job.context, drive(job.work, self.pool, job.stop), ended)

        def cancel() -> None:
            if loop.is_running():
                loop.call_soon_threadsafe(self.cancel, key)
            elif job.lost is not None:
                # The loop has stopped, and a thread may wait for the subtask.
                job.lost()

        def ended(running: asyncio.Task[Any]) -> None:
            self._forget(key, running)
            job.stop.forget(cancel)
            if running.cancelled():
                # Cancelled before its first step, so its work has not run yet.
                job.context.run(_close, job.work)

        if self.inbox.on_loop():
            start()
        else:
            loop.call_soon_threadsafe(start)
        job.stop.on_set(cancel)

    def tell(self, effects: Sequence[Effect], waits: int) -> None:
        """Let the consumer carry out effects; from any thread."""
        self.inbox.put(Wakeup(list(effects), waits=waits))

    def close(self) -> None:
        """Wake producers that wait for capacity, and the consumer."""
        if self.capacity is not None:
            self.capacity.close()
        self.inbox.wake()

    def cancel(self, key: str) -> None:
        """Cancel the asyncio task with this key, if it is still running."""
        if key in self._tasks:
            self._tasks[key].cancel()

    def is_on(self, loop: Optional[asyncio.AbstractEventLoop]) -> bool:
        """Return True if the tasks run on `loop`."""
        return self.inbox.loop is loop

    def cancel_all(self) -> Set[asyncio.Task[Any]]:
        """Cancel all asyncio tasks and return them; only on the loop."""
        running = set(self._tasks.values())
        for task in running:
            task.cancel()
        return running

    def cancel_from_outside(self) -> None:
        """Cancel all asyncio tasks; from any thread.

        At the end of the interpreter, the stopped loop is run until they have ended, since no other code will run it
        again.
        """
        loop, running = self.inbox.loop, set(self._tasks.values())
        if loop is None or not running:
            return
        ended = wait_cancelled(running)
        try:
            loop.call_soon_threadsafe(self.cancel_all)
            if is_exiting() and not loop.is_running():
                loop.run_until_complete(ended)
        except RuntimeError:  # the loop is closed
            _running.difference_update(running)
        finally:
            ended.close()

    def _begin(
        self,
        key: str,
        context: Context,
        coroutine: Coroutine[Any, Any, Any],
        ended: Optional[Callable[[asyncio.Task[Any]], None]] = None,
    ) -> None:
        assert self.inbox.loop is not None
        # The new task copies the context it is created in, on every Python; the context argument came with 3.11.
        running = context.run(self.inbox.loop.create_task, coroutine)
        self._tasks[key] = running
        _running.add(running)
        # Not a partial: asyncio prints the arguments of a partial in the repr of a task; tasks among them would make
        # that recursive.
        running.add_done_callback(ended or (lambda running: self._forget(key, running)))

    def _forget(self, key: str, running: asyncio.Task[Any]) -> None:
        self._tasks.pop(key, None)
        _running.discard(running)

    async def _open(self, work: Work[List[Effect]]) -> None:
        try:
            self.inbox.put(Wakeup(await drive(work, self.pool)))
        except BaseException as error:
            self.inbox.put(Wakeup([], error))

    async def _report(self, job: TaskRun) -> None:
        try:
            event = await drive(job.work, self.pool, job.stop)
            job.over = True
            self.inbox.put(event)
        except Exception as error:
            # The consumer must not wait for ever if the work breaks its contract.
            self.inbox.put(Wakeup([], error))


def _close(work: Work[Any]) -> None:
    """Run work that was cancelled before its first step to its end."""
    try:
        next(work)
        work.throw(CancelledError())
    except (StopIteration, CancelledError):
        return
    raise AssertionError("work that was cancelled went on")
