"""Questions of a run that goes on: who waits for which answer, in threads and on event loops, and how it is given."""

from __future__ import annotations

from concurrent.futures import CancelledError, Future
from threading import Lock
from typing import Callable, Dict, List, Optional, Set, Tuple

from streamgraph._closest import closest
from streamgraph._drivers.futures import own_future
from streamgraph._drivers.lending import thread_lent
from streamgraph._protocols import Questions
from streamgraph._signals import Paused
from streamgraph._streams.cancellation import CancelToken
from streamgraph.errors import NotSupportedError, StreamClosed, UnknownInterruptError

_CLOSE = 0.8
"""How alike an id and a wrong one are at least, so that a mistake in writing is assumed."""


class _Answer(Future[object]):
    """An answer that is waited for; whoever claims it first gives it, or gives it up."""

    def __init__(self) -> None:
        super().__init__()
        self._claims = iter((True,))  # `next` is atomic

    def claim(self) -> bool:
        """Return True to the first one who calls this, and False to all others."""
        return next(self._claims, False)

    def cancel(self) -> bool:
        """Wake those who wait, if there is no answer; return False if there is one."""
        if not self.claim():
            return self.cancelled()
        super().cancel()
        self.set_running_or_notify_cancel()  # else `concurrent.futures.wait` would wait on
        return True


class OpenQuestion:
    """A question with the code that waits for its answer.

    Args:
        about: What is asked, and where.
        stop: Cancel token of the code that waits.
        check: Raises an error if an answer does not fit; `None` if every answer does.
        record: Takes over the answer, before the waiting code gets it.
        store: Stores an answer that was given before the question has been shown everywhere.
        settle: Says that the question is not open any more.

    Attributes:
        answer: Becomes the answer; cancelled if there will be none.
    """

    __slots__ = ("about", "answer", "check", "ended", "record", "settle", "shown", "stop", "store")

    def __init__(
        self,
        about: Paused,
        stop: CancelToken,
        check: Optional[Callable[[object], object]],
        record: Callable[[object], None],
        store: Callable[[], None],
        settle: Callable[[], None],
    ) -> None:
        self.about = about
        self.answer = _Answer()
        self.stop = stop
        self.check = check
        self.record = record
        self.store = store
        self.settle = settle
        self.shown = self.ended = False
        stop.on_set(self.cancel)

    def cancel(self) -> None:
        """Wake the code that waits, without an answer."""
        self.answer.cancel()


class LiveQuestions:
    """The open questions of one stream, at every depth; thread-safe.

    No lock is held while code of others is called: whoever comes last, the code that shows a question or the one that
    answers it, says that it is settled.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: Dict[str, OpenQuestion] = {}
        self._answered: Set[str] = set()
        self._over = False

    def add(self, asked: OpenQuestion) -> None:
        """Add a question, which can be answered from now on.

        Raises:
            StreamClosed: The stream is over.
        """
        with self._lock:
            if not self._over:
                self._open[asked.about.id] = asked
                return
        asked.stop.forget(asked.cancel)
        raise StreamClosed

    def show(self, asked: OpenQuestion, parts: Callable[[], None]) -> None:
        """Show a question to the readers of the stream.

        Args:
            asked: The question.
            parts: Shows it.
        """
        try:
            parts()
        except BaseException:
            self.end(asked)
            raise
        finally:
            with self._lock:
                asked.shown, ended = True, asked.ended
            if ended:
                asked.settle()

    def answer(self, id: str, value: object) -> None:  # noqa: A002  (the field's name everywhere)
        """Answer a question.

        Args:
            id: The id of the question.
            value: The answer.

        Raises:
            UnknownInterruptError: No question waits under the id.
            Exception: The answer does not fit; the question stays open.
        """
        asked = self._open.get(id)
        if asked is not None and asked.check is not None:
            asked.check(value)
        with self._lock:
            asked = self._open.pop(id, None)
            if asked is None or not asked.answer.claim():
                raise self._unknown(id)
            self._answered.add(id)
            asked.ended, shown = True, asked.shown
        asked.stop.forget(asked.cancel)
        asked.record(value)
        if shown:
            asked.settle()
        else:  # who shows it settles it, maybe after the end of the stream, when nothing is stored any more
            asked.store()
        asked.answer.set_result(value)

    def end(self, asked: OpenQuestion) -> None:
        """Withdraw a question, if it is still open: nothing waits for its answer any more."""
        with self._lock:
            if self._open.get(asked.about.id) is not asked:
                return
            del self._open[asked.about.id]
            asked.ended, shown = True, asked.shown
        asked.stop.forget(asked.cancel)
        asked.cancel()
        if shown:
            asked.settle()

    def end_below(self, namespace: Tuple[str, ...]) -> None:
        """Withdraw what a task still asks after its end, in threads and asyncio tasks that it has left behind.

        Args:
            namespace: The namespace of graphs that run in the task.
        """
        for asked in tuple(self._open.values()) if self._open else ():
            if asked.about.namespace[: len(namespace)] == namespace:
                self.end(asked)

    def close(self) -> None:
        """End all waiting: the stream is over."""
        with self._lock:
            self._over, left = True, tuple(self._open.values())
        for asked in left:
            self.end(asked)

    @property
    def over(self) -> bool:
        """True if the stream is over, so that what is withdrawn now may be answered in a later run."""
        return self._over

    def was_answered(self, id: str) -> bool:  # noqa: A002
        """Return whether a question has been answered in this stream."""
        return id in self._answered

    @property
    def paused(self) -> List[Paused]:
        """The open questions, in the order in which they were asked."""
        return [asked.about for asked in tuple(self._open.values())]

    def wait(self, asked: OpenQuestion) -> object:
        """Return the answer to a question; blocks the calling thread until it is there.

        Raises:
            StreamClosed: The work that asks is cancelled, or the stream is over.
        """
        try:
            with thread_lent():
                return asked.answer.result()
        except CancelledError:
            raise StreamClosed from None
        finally:
            self.end(asked)

    async def awaited(self, asked: OpenQuestion) -> object:
        """Return the answer to a question; the event loop goes on meanwhile.

        Raises:
            CancelledError: The work that asks is cancelled, or the stream is over.
        """
        try:
            return await own_future(asked.answer)
        finally:
            self.end(asked)

    def _unknown(self, id: str) -> UnknownInterruptError:  # noqa: A002
        pending = tuple(self._open)
        if id in self._answered:
            what = f"The question {id!r} has been answered already"
        elif self._over:
            what = (
                f"No question waits under {id!r}: the stream is over. If the run is saved, it goes on with "
                "Command(resume={id: answer})"
            )
        else:
            near = closest(id, pending, cutoff=_CLOSE)
            what = f"No question waits under {id!r}" + ("" if near is None else f"; did you mean {near!r}?")
        return UnknownInterruptError(what, reason="not_pending", interrupt_ids=(id,), pending_ids=pending)


def answer_live(questions: Optional[Questions], id: str, value: object) -> None:  # noqa: A002
    """Answer a question of a run that goes on meanwhile; from any thread.

    Args:
        questions: The questions of the run; `None` if it ends with them.
        id: The id of the question.
        value: The answer.

    Raises:
        UnknownInterruptError: No question waits under the id.
        NotSupportedError: The run ends with its questions.
        Exception: The answer does not fit; the question stays open.
    """
    if questions is None:
        raise NotSupportedError(
            f"The question {id!r} cannot be answered where it stands: this run ends with its questions",
            hint='Open the run with interrupts="live", or go on with Command(resume={id: answer}).',
        )
    questions.answer(id, value)
