"""A driver made from the list in `streamgraph._drivers`: one thread, one task at a time, and nothing ever waits."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Deque, Iterator

from streamgraph._core.effects import CancelTasks, Exit, Fail, Finish, OpenStep, StartTask
from streamgraph._core.events import TaskFailed
from streamgraph._drivers.exceptions import as_public_error, wrap_for_throw
from streamgraph._drivers.stream import ending
from streamgraph._propagation import propagates
from streamgraph._protocols import Call, Session, Sleep, TaskRun, Work
from streamgraph._streams.part import Part
from streamgraph._streams.router import NO_CHUNK


class ToyBackend:
    """An inbox, and a clock that stands still unless somebody sleeps."""

    asynchronous, capacity = False, None

    def __init__(self) -> None:
        self.inbox: Deque[Any] = deque()
        self.put, self.seconds = self.inbox.append, 0.0

    def spawn(self, job: TaskRun) -> None:
        """Run a subtask where it is called."""
        job.context.run(self.drive, job.work)

    @propagates
    def drive(self, work: Work[Any]) -> Any:
        """Make the calls of some work, and return its result."""
        try:
            call: Any = next(work)
            while True:
                try:
                    sync, asyn = call.action if isinstance(call, Call) else (self._wait, None)
                    args = call.args if isinstance(call, Call) else (call,)
                    answer = sync(*args) if sync is not None else asyncio.run(asyn(*args))
                except BaseException as error:
                    call = work.throw(wrap_for_throw(error))
                else:
                    call = work.send(answer)
        except StopIteration as result:
            return result.value

    def _wait(self, what: Any) -> None:  # of a `Join` the subtasks have ended: they ran where they were spawned
        self.seconds += what.seconds if isinstance(what, Sleep) else 0


def toy_stream(session: Session, backend: ToyBackend) -> Iterator[Any]:
    """Yield the chunks of a run."""
    router, todo = session.router, backend.inbox
    try:
        todo.extend(backend.drive(session.opening()))
        while todo:
            item = todo.popleft()
            if isinstance(item, Part):
                router.forward(item)
                if router.is_own(item) and (chunk := router.shape(item)) is not NO_CHUNK:
                    yield chunk
            elif isinstance(item, StartTask):
                job = session.job(item.task)
                backend.put(job.context.run(backend.drive, job.work))
            elif isinstance(item, OpenStep):
                todo.extend(session.run.open_step())
            elif isinstance(item, Finish):
                backend.drive(session.closing(None))
            elif isinstance(item, (Fail, Exit)):
                raise session.outward(ending(item))
            elif not isinstance(item, CancelTasks):  # of which there is no need: one task runs at a time
                if isinstance(item, TaskFailed):
                    item.error = as_public_error(item.task, item.error)
                todo.extend(session.run.feed(item))
    except BaseException as error:
        session.stop.set()
        backend.drive(session.closing(error))
        raise
