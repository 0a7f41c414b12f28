"""Base class of the streams of both drivers."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Union

from typing_extensions import Literal

from streamgraph._core.effects import Effect, Exit, Fail, Note, Save
from streamgraph._core.events import Event, TaskFailed
from streamgraph._drivers.clock import ConsumerClock, TimeLimitError
from streamgraph._drivers.exceptions import as_public_error
from streamgraph._drivers.questions import answer_live
from streamgraph._drivers.shutdown import HERE, drop, opened, over
from streamgraph._protocols import Partial, Session, TaskRun
from streamgraph._signals import Paused, RunFailure, Unstreamed
from streamgraph._streams.flow import UNLIMITED, FlowControl
from streamgraph._streams.formats import ChunkForm
from streamgraph._streams.part import Part
from streamgraph._streams.router import NO_CHUNK
from streamgraph.errors import GraphInterrupt, location_of

_UNKNOWN: object = object()

Status = Literal["pending", "running", "paused", "done", "failed", "closed"]

_IN_PLACE = 8
"""Number of nested graphs whose nodes run on one call stack: a graph that calls itself can go deeper than a stack."""


class Wakeup:
    """Queue item that carries effects or the failure of the run.

    Args:
        effects: The effects to carry out.
        error: The failure of the run, if it has failed.
        waits: How many more tasks wait for a person than before.
    """

    def __init__(self, effects: List[Effect], error: Optional[BaseException] = None, waits: int = 0) -> None:
        self.effects = effects
        self.error = error
        self.waits = waits


def ending(effect: Effect) -> BaseException:
    """Return the exception that an effect ends the run with."""
    assert isinstance(effect, (Fail, Exit)), effect
    return effect.error if isinstance(effect, Fail) else effect.signal


class Stream:
    """The state of a run that is being consumed.

    Args:
        session: The run.
        flow: The consumer's flow-control options.

    Attributes:
        form: The form of its chunks, if somebody gets them.
    """

    form: Optional[ChunkForm] = None

    # Class attributes, for `__del__` after an interrupted `__init__`.
    _begun = _ended = False

    _yields_parts = True
    """What a node emits is yielded as chunks, so it has to pass the inbox."""

    def __init__(self, session: Session, flow: FlowControl) -> None:
        self._session = session
        self._router = session.router
        # A node may run in the consumer's thread or task, unless parts can come while it runs.
        self._in_place = (
            flow is UNLIMITED
            and session.questions is None
            and not (self._yields_parts and session.router.subscribers.live)
            and len(session.run.ns) % _IN_PLACE < _IN_PLACE - 1
        )
        self._sole = session.router.subscribers.sole
        self._parent_capacity = session.router.parent_capacity
        self._clock = ConsumerClock(flow) if flow.watches else None
        self._timeout_error: Optional[TimeLimitError] = None
        self._failure: Optional[Exception] = None
        # What is left to be read after the end of the run.
        self._left: Deque[Any] = deque()
        self._status: Status = "pending"
        self._seq = 0
        self._effects: Deque[Effect] = deque()
        self._jobs: Dict[str, TaskRun] = {}
        self._output: Any = _UNKNOWN
        # Held while the stream is pulled; never waited for.
        self._pull_lock = threading.Lock()
        # The thread that consumes the stream, or did so last.
        self._reader_link = HERE.link

    def __del__(self) -> None:
        if self._begun and not self._ended:
            drop(self)

    def __repr__(self) -> str:
        modes = "" if self.form is None else f", {', '.join(sorted(self.form.shown))}"
        hint = "; watch(stream) of streamgraph.watching shows it" if self.status == "pending" else ""
        return f"<{type(self).__name__}: {self.status}{modes}{hint}>"

    @abstractmethod
    def _take_inbox(self) -> List[object]:
        """Remove and return all that is in the inbox of a run that has ended."""

    @abstractmethod
    def abandon(self) -> None:
        """End the run without a consumer; from any thread."""

    def tell(self) -> None:
        """Set the cancel token of the run without waiting."""
        self._session.stop.set()

    def has_reader(self) -> bool:
        """Return True if a thread may still consume the stream after the end of the main thread."""
        reader = self._reader_link()
        return reader is not None and reader.goes_on()

    @property
    def status(self) -> Status:
        """The state of the run: `"pending"` before the first pull, `"running"`, `"paused"`, or how it has ended.

        It is paused while a question waits for an answer: that of a run that goes on meanwhile, or that with which it
        has ended. Otherwise it ends as `"done"`, `"failed"` or `"closed"`: if its consumer left before its end, or if
        it was cancelled.
        """
        live = self._session.questions
        return "paused" if self._status == "running" and live is not None and live.paused else self._status

    def answer(self, id: str, value: object) -> None:  # noqa: A002  (the field's name everywhere)
        """Answer a question of the run, which goes on where it has asked; from any thread, loop or task.

        Args:
            id: The id of the question, as in the stream or in `questions`.
            value: The answer.

        Raises:
            UnknownInterruptError: No question waits under the id.
            NotSupportedError: The stream was not opened with `interrupts="live"`.
            ValidationError: The answer does not fit the class that was given as `response_schema`; the question stays
                open.
        """
        answer_live(self._session.questions, id, value)

    @property
    def questions(self) -> List[Paused]:
        """The questions that wait for an answer, at every depth: what is asked, where, and since when."""
        return self._session.paused()

    @property
    def seq(self) -> int:
        """The number of the last chunk that was yielded, counted from 1; 0 before the first.

        Every chunk counts, heartbeats included, so a server can number its events with it.
        """
        return self._seq

    @property
    def output(self) -> Any:
        """The final state as `invoke` returns it, available once the stream is exhausted.

        Raises:
            RuntimeError: The run has not ended yet, has failed, or was left early.
        """
        if not self._session.stop.finished:
            raise RuntimeError("The output is known when the stream is exhausted; this run is not over or ended early.")
        if self._output is _UNKNOWN:
            self._output = self._session.run.output()
        return self._output

    @property
    def partial(self) -> Partial:
        """The result so far: message texts, and the state after the last finished step.

        Also available after the run was left or cancelled, or has failed, so that the text shown to a user is not lost.
        """
        return self._session.partial()

    def explain(self) -> List[Union[Paused, Unstreamed]]:
        """Return why nothing comes: the open questions, and the model calls that were not streamed so far.

        Each is a `Paused` or an `Unstreamed`, which prints well and says what is asked, or why it was not streamed.

        It covers the calls of the streamed graph and of the nested graphs that it shows. A model call without the run's
        context, for example in a thread of the user's own, is reported by every stream that is running.
        """
        return [*self._session.paused(), *self._session.explain()]

    def _chunk(self, part: Part) -> Any:
        """Forward a part to the parent runs; return its chunk, or `NO_CHUNK` if the consumer does not want it."""
        if self._sole:
            return self._router.shape(part)
        if not self._session.stop.is_set:  # else the parent run has ended or is failing
            self._router.forward(part)
        return self._router.shape(part) if self._router.is_own(part) else NO_CHUNK

    def _feed(self, event: Union[Event, Wakeup]) -> None:
        if isinstance(event, Wakeup):
            if event.error is not None:
                raise event.error
            self._effects.extend(event.effects)
            if self._clock is not None and event.waits:
                self._clock.waits(event.waits)
            return
        self._jobs.pop(event.task.id, None)
        if self._clock is not None:
            self._clock.ended(event.task)
        if isinstance(event, TaskFailed):
            event.error = as_public_error(event.task, event.error)
        self._effects.extend(self._session.run.feed(event))

    def _take_unsaved(self) -> List[Union[Note, Save]]:
        """Drop the effects that are left, and return those of them that must be stored.

        In a live run these include the answers that were given after the last pull, which are still in the inbox.
        """
        left = list(self._effects)
        self._effects.clear()
        if self._session.questions is not None:
            for item in self._take_inbox():
                if isinstance(item, Wakeup):
                    left.extend(item.effects)
        return [effect for effect in left if isinstance(effect, (Note, Save))]

    def _check_wanted(self) -> None:
        """Raise if the run was stopped and may start no more tasks.

        Raises:
            RunTimeoutError: The time limit of the run is over.
            StepTimeoutError: The time limit of a step is over.
            StreamClosed: The parent run has ended early, or is failing.
        """
        if self._timeout_error is not None:
            raise self._timeout_error
        self._session.stop.check()

    def _mark_begun(self) -> None:
        self._begun = True
        self._status = "running"
        opened(self)

    def _mark_ended(self, status: Status, error: Optional[BaseException] = None) -> None:
        run = self._session.run
        asks = run.paused or run.frontier.due or run.frontier.sends if status == "done" else False
        self._ended = True
        self._status = "paused" if asks or isinstance(error, GraphInterrupt) else status
        if self._session.questions is not None and not self._session.asks_outside:
            self._session.questions.close()
        over(self)

    def _time_out(self, error: TimeLimitError, put: Callable[[Wakeup], None]) -> None:
        """Cancel all tasks because a time limit is exceeded; the run fails after the parts that are in the inbox.

        Args:
            error: The error of the run.
            put: Adds an item to the inbox.
        """
        self._timeout_error = error
        put(Wakeup([], error))
        for job in tuple(self._jobs.values()):
            job.stop.set()

    def _last_chunk(self, error: Optional[BaseException] = None) -> Any:
        """Return the next chunk after the end of the run, or `NO_CHUNK` if there is none.

        These show that messages are over that were cut off, and report a failure. The error itself is raised after
        them.

        Args:
            error: The error of the run, if it has just failed.
        """
        left, router = self._left, self._router
        if (error is None or isinstance(error, Exception)) and router.subscribers.live:
            parts: List[Part] = [*self._session.message_ends()]
            left.extend(router.shape(part) for part in parts if router.is_own(part))
        if isinstance(error, Exception) and router.emits_error_part:
            where = location_of(error)
            failure = RunFailure(error) if where is None else RunFailure(error, where.node, where.step)
            left.append(router.shape(Part(() if where is None else where.namespace, "error", failure)))
        while left:
            chunk = left.popleft()
            if chunk is not NO_CHUNK:
                if error is not None:
                    self._failure = error  # type: ignore[assignment]
                return chunk
        return NO_CHUNK

    def _pull_left(self) -> Any:
        """Return the next chunk of a run that has ended, or `NO_CHUNK`; raises the error that it has failed with."""
        while self._left:
            chunk = self._left.popleft()
            if chunk is not NO_CHUNK:
                self._seq += 1
                return chunk
        error, self._failure = self._failure, None
        if error is not None:
            try:
                raise error
            finally:
                del error
        return NO_CHUNK
