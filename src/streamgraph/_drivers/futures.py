"""The futures of subtasks, which can be waited for in threads and on event loops."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Deque, Generator, TypeVar, cast

from streamgraph._core.events import Event, TaskDone, TaskFailed
from streamgraph._core.task import Task
from streamgraph._propagation import on_loop
from streamgraph._streams.cancellation import CancelToken

T = TypeVar("T")


class TaskFuture(Future[T]):
    """The result of a `@task` call: `result()` blocks until it is there, and it can be awaited.

    Args:
        stop: Cancel token of the task.

    Attributes:
        stop: See above.
    """

    def __init__(self, stop: CancelToken) -> None:
        super().__init__()
        self.stop = stop
        # The caller that pops the only item settles the future; `pop` is not interrupted by Ctrl-C.
        self._unsettled: Deque[None] = deque([None])

    def __await__(self) -> Generator[Any, None, T]:
        return own_future(self).__await__()

    def cancel(self) -> bool:
        """Cancel the task; a sync function in a thread ends at its next token or writer call."""
        if self.done():
            return self.cancelled()
        self.stop.set()
        return super().cancel()

    def settle(self, event: Event) -> None:
        """Set the result from the event of the task; later events are ignored.

        Args:
            event: The end of the task.
        """
        try:
            self._unsettled.pop()
        except IndexError:
            return
        if isinstance(event, TaskFailed) and isinstance(event.error, CancelledError) and self.stop.is_set:
            super().cancel()
        if not self.set_running_or_notify_cancel():
            return
        if isinstance(event, TaskDone):
            ((_, value),) = event.outcome.writes
            self.set_result(cast("T", value))
        else:
            self.set_exception(event.error if isinstance(event, TaskFailed) else event.signal)

    def lose(self, task: Task) -> None:
        """Cancel the future because no driver runs the task any more, so that its result is not waited for in vain."""
        super().cancel()
        self.settle(TaskFailed(task, CancelledError()))


def shown_to_caller(future: TaskFuture[T]) -> Any:
    """Return `future`, or on an event loop an asyncio future of that loop that follows it."""
    return own_future(future) if on_loop() else future


def own_future(future: Future[T]) -> asyncio.Future[T]:
    """Return a future of the running event loop that follows a subtask's, and cancels it when it is cancelled.

    Unlike `asyncio.wrap_future`, it does not complain if the subtask outlives the loop, or if its error is never
    retrieved: neither is a mistake, since the subtask's result is in the stream.
    """
    loop = asyncio.get_running_loop()
    own: asyncio.Future[T] = loop.create_future()

    def follow() -> None:
        if own.done():
            return
        if future.cancelled():
            own.cancel()
            return
        error = future.exception()
        if error is None:
            own.set_result(future.result())
        else:
            own.set_exception(error)
            own.exception()

    def tell(_: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed, so nothing awaits the future
            loop.call_soon_threadsafe(follow)

    def cancel(_: Any) -> None:
        if own.cancelled():
            future.cancel()

    own.add_done_callback(cancel)
    future.add_done_callback(tell)
    return own
