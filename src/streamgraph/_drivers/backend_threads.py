"""Backend of the blocking driver: an inbox, worker threads, and a portal to an event loop."""

from __future__ import annotations

from contextvars import copy_context
from typing import List, Optional, Sequence

from streamgraph._core.effects import Effect
from streamgraph._drivers.calls_threads import drive
from streamgraph._drivers.inbox_threads import AnyInbox, BoundedInbox, Inbox
from streamgraph._drivers.overflow import overflow_queue
from streamgraph._drivers.portal import Portal
from streamgraph._drivers.stream import Wakeup
from streamgraph._drivers.workers import RunThreads
from streamgraph._protocols import Coalescer, TaskRun, Work
from streamgraph._streams.backpressure import ClosableCapacity
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.flow import FlowControl


class ThreadBackend:
    """The inbox and the threads of one run.

    It holds no reference to the stream: a stream that is referenced only by its own workers must be collected, so that
    its run is stopped.

    Args:
        flow: The consumer's flow-control options.
        coalescer: Merges parts in the inbox if the overflow policy is `"coalesce"`.

    Attributes:
        inbox: Queue of parts and events for the consumer.
        pool: The threads.
        portal: Awaits actions that have no sync form.
    """

    asynchronous = False

    def __init__(self, flow: FlowControl, coalescer: Coalescer) -> None:
        bounded = flow.max_buffer is not None
        self.inbox: AnyInbox = BoundedInbox(overflow_queue(flow, coalescer)) if bounded else Inbox()
        self.put = self.inbox.put
        self.capacity: Optional[ClosableCapacity] = self.inbox.capacity
        self.pool = RunThreads()
        self.portal = Portal()

    def open(self, work: Work[List[Effect]], stop: CancelToken) -> None:
        """Drive the opening work in a thread; its effects go into the inbox."""
        self.pool.start(copy_context().run, self._open, work, stop)

    def start(self, job: TaskRun) -> None:
        """Run a task in a thread; its event goes into the inbox."""
        self.pool.start(job.context.run, self._report, job)

    def spawn(self, job: TaskRun) -> None:
        """Run a subtask in a thread."""
        self.pool.start(job.context.run, drive, job.work, self.pool, self.portal, job.stop)

    def tell(self, effects: Sequence[Effect], waits: int) -> None:
        """Let the consumer carry out effects; from any thread."""
        self.inbox.end(Wakeup(list(effects), waits=waits))

    def close(self) -> None:
        """Wake producers that wait for capacity, and end the portal's loop."""
        if self.capacity is not None:
            self.capacity.close()
        self.portal.close()

    def _open(self, work: Work[List[Effect]], stop: CancelToken) -> None:
        try:
            self.inbox.end(Wakeup(drive(work, self.pool, self.portal, stop)))
        except BaseException as error:
            self.inbox.end(Wakeup([], error))

    def _report(self, job: TaskRun) -> None:
        try:
            event = drive(job.work, self.pool, self.portal, job.stop)
            job.over = True
            self.inbox.end(event)
        except BaseException as error:
            # The consumer must not wait for ever if the work breaks its contract.
            self.inbox.end(Wakeup([], error))
