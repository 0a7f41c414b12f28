"""What both kinds of stream have in common."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Union

from typing_extensions import Literal

from streamgraph._core.effects import Effect, Exit, Fail
from streamgraph._core.events import Event, TaskFailed
from streamgraph._drivers.clock import ConsumerClock
from streamgraph._drivers.exceptions import as_public_error
from streamgraph._drivers.shutdown import HERE, drop, opened, over
from streamgraph._protocols import Partial, Session, TaskRun
from streamgraph._signals import RunFailure, Unstreamed
from streamgraph._streams.flow import UNLIMITED, FlowControl
from streamgraph._streams.part import Part
from streamgraph._streams.router import NO_CHUNK
from streamgraph.errors import RunTimeoutError, location_of

Status = Literal["pending", "running", "done", "failed", "closed"]

_IN_PLACE = 8
"""How many graphs deep nodes are called on one call stack: a graph that calls itself can go deeper than a stack can."""


class Wakeup:
    """An item of the inbox that carries effects, or the failure of the run.

    Args:
        effects: What is to be done next.
        error: What the run fails with instead.
    """

    def __init__(self, effects: List[Effect], error: Optional[BaseException] = None) -> None:
        self.effects = effects
        self.error = error


def ending(effect: Effect) -> BaseException:
    """Return the exception that a run ends with, given the effect that says so."""
    assert isinstance(effect, (Fail, Exit)), effect
    return effect.error if isinstance(effect, Fail) else effect.signal


class Stream:
    """The state of a run that is being read.

    Args:
        session: The run.
        flow: What the consumer asked for.
    """

    # Known also of a stream that was interrupted while it was made.
    _begun = _ended = False

    def __init__(self, session: Session, flow: FlowControl) -> None:
        self._session = session
        self._router = session.router
        # A node may run where its stream is read, unless there is something to be read meanwhile.
        self._in_place = (
            flow is UNLIMITED and not session.router.audience.live and len(session.run.ns) % _IN_PLACE < _IN_PLACE - 1
        )
        self._sole = session.router.audience.sole
        self._above = session.router.parent_capacity
        self._clock = ConsumerClock(flow) if flow.watches else None
        self._timeout_error: Optional[RunTimeoutError] = None
        self._failure: Optional[Exception] = None
        self._status: Status = "pending"
        self._seq = 0
        self._effects: Deque[Effect] = deque()
        self._jobs: Dict[str, TaskRun] = {}
        self._output: Any = None
        # Held while the stream is pulled; nobody waits for it.
        self._turn = threading.Lock()
        # The one that reads, or did last.
        self._read_by = HERE.link

    def __del__(self) -> None:
        if self._begun and not self._ended:
            drop(self)

    @abstractmethod
    def abandon(self) -> None:
        """End the run, since nobody reads it any more; from any thread."""

    def tell(self) -> None:
        """Tell what runs to stop, and wait for nothing."""
        self._session.stop.set()

    def has_reader(self) -> bool:
        """Whether there is a thread that may go on reading once the main thread has come to its end."""
        reader = self._read_by()
        return reader is not None and reader.goes_on()

    @property
    def status(self) -> Status:
        """How the run is: `"pending"` before the first pull, `"running"`, `"done"`, `"failed"` or `"closed"`.

        A run was closed if it was left before its end, or cancelled.
        """
        return self._status

    @property
    def seq(self) -> int:
        """The number of the last chunk that was handed out, counted from 1; 0 before the first.

        Everything counts that the stream yields, heartbeats too, so a server can number its events with it.
        """
        return self._seq

    @property
    def output(self) -> Any:
        """The final state as `invoke` returns it, known once the stream is exhausted.

        Raises:
            RuntimeError: The run is not over yet, has failed, or was left early.
        """
        if not self._session.stop.finished:
            raise RuntimeError("The output is known when the stream is exhausted; this run is not over or ended early.")
        return self._output

    @property
    def partial(self) -> Partial:
        """What there is so far: message texts, and the state after the last finished step.

        For a run that was left, was cancelled or has failed: what the user has seen need not be thrown away.
        """
        return self._session.partial()

    def explain(self) -> List[Unstreamed]:
        """Return which model calls were not in the stream so far, and why: an `Unstreamed` for each, which prints well.

        Known are the calls of the streamed graph and of those nested graphs that it shows. A model that is called
        where no run's context is known, such as in a thread of one's own, is told of in every stream that is on.
        """
        return self._session.explain()

    def _chunk(self, part: Part) -> Any:
        """Pass a part of the run on; return its chunk, or `NO_CHUNK` if it is not for the consumer."""
        if self._sole:
            return self._router.shape(part)
        if not self._session.stop.is_set:  # else the run around has ended or is failing, and this would come after that
            self._router.forward(part)
        return self._router.shape(part) if self._router.is_own(part) else NO_CHUNK

    def _feed(self, event: Union[Event, Wakeup]) -> None:
        if isinstance(event, Wakeup):
            if event.error is not None:
                raise event.error
            self._effects.extend(event.effects)
            return
        self._jobs.pop(event.task.id, None)
        if self._clock is not None:
            self._clock.ended(event.task)
        if isinstance(event, TaskFailed):
            event.error = as_public_error(event.task, event.error)
        self._effects.extend(self._session.run.feed(event))

    def _check_wanted(self) -> None:
        """Start nothing more after a stop.

        Raises:
            RunTimeoutError: The run has taken longer than it may.
            StreamClosed: The run around this one has ended before its time, or is failing.
        """
        if self._timeout_error is not None:
            raise self._timeout_error
        self._session.stop.check()

    def _mark_begun(self) -> None:
        self._begun = True
        self._status = "running"
        opened(self)

    def _mark_ended(self, status: Status) -> None:
        self._ended = True
        self._status = status
        over(self)

    def _time_out(self, put: Callable[[Wakeup], None]) -> None:
        """Tell what runs to stop, since the run has taken too long, and fail after what it has made by now.

        Args:
            put: Adds a note to what has yet to be read.
        """
        assert self._clock is not None
        self._timeout_error = self._clock.error()
        put(Wakeup([], self._timeout_error))
        for job in tuple(self._jobs.values()):
            job.stop.set()

    def _last_part(self, error: BaseException) -> Any:
        """Return the chunk that tells of a failure, or `NO_CHUNK` if the consumer wants none.

        The error itself is raised at the next pull then.
        """
        if not isinstance(error, Exception) or not self._router.emits_error_part:
            return NO_CHUNK
        where = location_of(error)
        failure = RunFailure(error) if where is None else RunFailure(error, where.node, where.step)
        chunk = self._router.shape(Part(() if where is None else where.namespace, "error", failure))
        if chunk is not NO_CHUNK:
            self._failure = error
        return chunk

    def _raise_failure(self) -> None:
        """Raise what the last chunk has told of, if it has."""
        error, self._failure = self._failure, None
        if error is not None:
            try:
                raise error
            finally:
                del error
