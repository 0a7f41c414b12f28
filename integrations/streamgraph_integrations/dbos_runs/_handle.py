"""The handle of a queued run, in whatever process."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, AsyncIterator, Dict, Iterator, NamedTuple, Optional, Tuple

from streamgraph.runs import RunHandle
from streamgraph_integrations.dbos_runs._errors import QueuedRunError
from streamgraph_integrations.redis_events import RedisSharedLog, RunLostError, UnknownRunError

if TYPE_CHECKING:
    from streamgraph_integrations.dbos_runs._info import RunInfo, Status
    from streamgraph_integrations.dbos_runs._runs import QueuedRuns

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.3
"""Seconds between two looks whether a run has begun."""

_LONGEST_SILENCE = 1.0
"""Seconds between two questions to the database whether it will."""


class NewAttempt(NamedTuple):
    """Says in a stream that another worker has taken the run over.

    What came before it of the step that was going on is done again: throw away its tokens and its custom data. What
    finished steps have streamed does not come again, if the run is saved.

    Attributes:
        attempt: The number of the attempt, counted from 1.
    """

    attempt: int


class QueuedRun:
    """A run that was enqueued; see `QueuedRuns.enqueue`.

    Args:
        runs: Where it was enqueued.
        id: The id of the run.
        graph: The name of its graph; `None` if it is to be asked for.
    """

    def __init__(self, runs: QueuedRuns, id: str, graph: Optional[str] = None) -> None:  # noqa: A002
        self._runs = runs
        self._graph = graph
        self.id = id

    def __repr__(self) -> str:
        return f"<QueuedRun {self.id}>"

    @property
    def status(self) -> Status:
        """Its state: `"delayed"`, `"queued"`, `"running"`, or how it has ended, as of a `RunHandle`.

        Raises:
            UnknownQueuedRunError: There is no such run.
        """
        return self._runs.info(self.id).status

    async def astatus(self) -> Status:
        """Return its state; see `status`."""
        return (await self.ainfo()).status

    @property
    def info(self) -> RunInfo:
        """What the queue knows of it.

        Raises:
            UnknownQueuedRunError: There is no such run.
        """
        return self._runs.info(self.id)

    async def ainfo(self) -> RunInfo:
        """Return what the queue knows of it; see `info`."""
        return await asyncio.to_thread(self._runs.info, self.id)

    def cancel(self) -> None:
        """Take the run out of its queue, or ask it to end if it has begun; it returns without waiting for that.

        Its events tell its readers. A run that has ended stays as it is.

        Raises:
            UnknownQueuedRunError: There is no such run.
        """
        self._runs.ending.cancel(self.id)

    async def acancel(self) -> None:
        """Take the run out of its queue, or ask it to end; see `cancel`."""
        await asyncio.to_thread(self.cancel)

    def attach(self, timeout: Optional[float] = None) -> RunHandle[Any, Any]:
        """Wait until the run has begun, and return the handle that reads its newest attempt; see `graph.attach`.

        Args:
            timeout: The most seconds to wait; `None` for no limit.

        Raises:
            TimeoutError: It has not begun in time.
            QueuedRunError: It has ended, and its events are not there any more.
        """
        return self._handle(self._log(0, timeout))

    async def aattach(self, timeout: Optional[float] = None) -> RunHandle[Any, Any]:
        """Wait until the run has begun, and return the handle that reads its newest attempt; see `attach`."""
        return self._handle(await self._alog(0, timeout))

    def result(self, timeout: Optional[float] = None) -> Any:
        """Wait for the end of the run, whichever worker brings it there, and return its output as `invoke` does.

        Args:
            timeout: The most seconds to wait; `None` for no limit.

        Raises:
            TimeoutError: It has not ended in time. It goes on.
            RunCancelledError: It was cancelled.
            QueuedRunError: It has ended, and its events are not there any more.
            BaseException: The error with which it has failed.
        """
        deadline, attempt = _Deadline(timeout), 0
        while True:
            log = self._log(attempt, deadline.left())
            attempt = log.attempt
            try:
                return self._handle(log).result(deadline.left())
            except RunLostError:
                pass

    async def aresult(self, timeout: Optional[float] = None) -> Any:
        """Wait for the end of the run, and return its output as `ainvoke` does; see `result`."""
        deadline, attempt = _Deadline(timeout), 0
        while True:
            log = await self._alog(attempt, deadline.left())
            attempt = log.attempt
            try:
                return await asyncio.wait_for(self._handle(log).aresult(), deadline.left())
            except RunLostError:
                pass

    def stream(self, stream_mode: Any = None, **options: Any) -> Iterator[Any]:
        """Read the run from its beginning, whichever workers drive it, and wait until it has begun.

        Args:
            stream_mode: See `RunHandle.stream`.
            **options: See `RunHandle.stream`. With `after=` it begins after the event of this id; if that is one of an
                earlier attempt, with a `NewAttempt`.

        Yields:
            The chunks, and a `NewAttempt` before those of another worker that has taken the run over.

        Raises:
            QueuedRunError: It has ended, and its events are not there any more.
            BaseException: The error with which it has failed.
        """
        attempt, after = _place(options)
        log = self._log(0, None)
        while True:
            options["after"], is_new = _next(log, attempt, after)
            if is_new:
                yield NewAttempt(log.attempt)
            attempt, after = log.attempt, None
            try:
                with self._handle(log).stream(stream_mode, **options) as reader:
                    yield from reader
                return
            except RunLostError:
                log = self._log(attempt, None)

    async def astream(self, stream_mode: Any = None, **options: Any) -> AsyncIterator[Any]:
        """Read the run from its beginning, whichever workers drive it; see `stream`."""
        attempt, after = _place(options)
        log = await self._alog(0, None)
        while True:
            options["after"], is_new = _next(log, attempt, after)
            if is_new:
                yield NewAttempt(log.attempt)
            attempt, after = log.attempt, None
            try:
                async with self._handle(log).astream(stream_mode, **options) as reader:
                    async for chunk in reader:
                        yield chunk
                return
            except RunLostError:
                log = await self._alog(attempt, None)

    def _handle(self, log: RedisSharedLog) -> RunHandle[Any, Any]:
        if self._graph is None:
            self._graph = self._runs.info(self.id).graph
        return self._runs.graphs.get(self._graph).attach(log)

    def _log(self, after: int, timeout: Optional[float]) -> RedisSharedLog:
        """Wait for an attempt after the one of this number."""
        waiting = _Waiting(self.id, timeout)
        over: Optional[str] = None
        while True:
            try:
                log = self._runs.events.log(self.id)
                if log.attempt > after:
                    return log
            except UnknownRunError:
                pass
            waiting.check(over)
            if waiting.asks:
                over = self._over()
            if over is None:
                time.sleep(waiting.pause())

    async def _alog(self, after: int, timeout: Optional[float]) -> RedisSharedLog:
        if self._graph is None:
            self._graph = (await self.ainfo()).graph
        waiting = _Waiting(self.id, timeout)
        over: Optional[str] = None
        while True:
            try:
                log = await self._runs.events.alog(self.id)
                if log.attempt > after:
                    return log
            except UnknownRunError:
                pass
            waiting.check(over)
            if waiting.asks:
                over = await asyncio.to_thread(self._over)
            if over is None:
                await asyncio.sleep(waiting.pause())

    def _over(self) -> Optional[str]:
        """Return how the run has ended, or `None`; its events are looked for once more after that."""
        info = self._runs.info(self.id)
        if info.status in ("delayed", "queued", "running") or (info.status == "failed" and info.error is None):
            return None  # what has ended its workers too often is soon said to have failed
        return info.error or f"It is {info.status}"


class _Waiting:
    """How long one waits for a run to begin, and when the database is asked whether it will.

    Args:
        run_id: The run.
        timeout: The most seconds to wait; `None` for no limit.
    """

    def __init__(self, run_id: str, timeout: Optional[float]) -> None:
        self._run_id = run_id
        self._deadline = _Deadline(timeout)
        self._next = _FIRST_PAUSE
        self._asked = -_LONGEST_SILENCE

    @property
    def asks(self) -> bool:
        """Whether the database is to be asked now: many may wait, and nearly all of their runs will begin."""
        if time.monotonic() - self._asked < _LONGEST_SILENCE:
            return False
        self._asked = time.monotonic()
        return True

    def check(self, over: Optional[str]) -> None:
        """Raise an error if the run will not begin, or not in time.

        Args:
            over: How it had ended before its events were looked for.
        """
        if over is not None:
            raise QueuedRunError(
                f"The run {self._run_id} is over, and its events are not there: {over}",
                hint="They have expired (RedisEvents(ttl=...)), or its workers have died again and again.",
            )
        self._deadline.check(self._run_id)

    def pause(self) -> float:
        """Return the seconds until the next look."""
        self._next = min(1.5 * self._next, _LONGEST_PAUSE)
        return self._next


class _Deadline:
    """When waiting ends."""

    def __init__(self, seconds: Optional[float]) -> None:
        self._seconds = seconds
        self._at = None if seconds is None else time.monotonic() + seconds

    def left(self) -> Optional[float]:
        """The seconds that are left; `None` for no limit."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def check(self, run_id: str) -> None:
        """Raise TimeoutError if none are left."""
        if self.left() == 0:
            raise TimeoutError(f"The run {run_id} has not begun within {self._seconds} seconds. It will.")


def _place(options: Dict[str, Any]) -> Tuple[int, Optional[str]]:
    """Return the attempt and the id after which a reader begins."""
    after = options.pop("after", None)
    return (0 if after is None else int(str(after).partition("-")[0])), after


def _next(log: RedisSharedLog, attempt: int, after: Optional[str]) -> Tuple[Optional[str], bool]:
    """Return the id after which an attempt is read, and whether it is to be announced."""
    return (after, False) if log.attempt == attempt else (None, attempt > 0)
