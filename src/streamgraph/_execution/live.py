"""Questions of a run that goes on while they wait: shown at every level, stored as notes, answered where they stand.

A question concerns the task that asks it, and every task around that one, up to the run whose stream is answered. Each
of their runs shows and stores it as it would at a pause.
"""

from __future__ import annotations

from threading import Lock
from time import time
from typing import Awaitable, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, TypeVar

from streamgraph._core.effects import Effect, Note
from streamgraph._core.parts import PartBuilder
from streamgraph._core.run import Run
from streamgraph._core.task import Task
from streamgraph._drivers.questions import LiveQuestions, OpenQuestion
from streamgraph._execution.saving import Saving
from streamgraph._interrupts import Interrupt, interrupt_id
from streamgraph._langchain.scope import ParentTrace, RunScope, Scope
from streamgraph._messages.tracker import MessageTracker
from streamgraph._protocols import Backend, Join, Work
from streamgraph._signals import Paused
from streamgraph._streams.backpressure import Put
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.copying import own_input
from streamgraph.errors import GraphInterrupt, NodeInterrupt, StreamClosed

T = TypeVar("T")

Check = Optional[Callable[[object], object]]

_pausing = Lock()
"""Held while the time limits of tasks are stopped or go on; several questions may concern one task."""


class LiveRun:
    """One run, as far as its questions are answered while it goes on.

    Args:
        questions: The open questions of the stream.
        scope: What its tasks share, which gets to know this object.
        run: The run.
        parts: Makes its parts.
        put: Adds a part to its stream.
        backend: Takes what is to be stored.

    Attributes:
        on_question: Is called with the task of each question and the question, and whether it begins to wait or ends.
    """

    on_question: Optional[Callable[[Task, Interrupt, bool], None]] = None

    def __init__(
        self, questions: LiveQuestions, scope: RunScope, run: Run, parts: PartBuilder, put: Put, backend: Backend
    ) -> None:
        scope.live = self
        if isinstance(scope.saving, Saving):
            scope.saving.waits = True
        self.questions = questions
        self._scope = scope
        self._run = run
        self._parts = parts
        self._put = put
        self._tell = backend.tell
        self._lock = Lock()
        # The open questions of each task, by the ids of the tasks and of the questions.
        self._open: Dict[str, Dict[str, Interrupt]] = {}
        # How answers to questions are checked that are asked by an exception.
        self._checks: Dict[str, Check] = {}

    def wait(self, scope: Scope, question: Interrupt, check: Check, call: Optional[str]) -> object:
        """Ask a question, and block the calling thread until it is answered.

        Args:
            scope: The task that asks.
            question: The question.
            check: Raises an error if an answer does not fit.
            call: The id of the tool call in whose name it asks, if its task runs several.

        Returns:
            The answer.

        Raises:
            StreamClosed: The task is cancelled.
        """
        return self.questions.wait(self._ask(scope, question, check, call))

    def awaited(self, scope: Scope, question: Interrupt, check: Check, call: Optional[str]) -> Awaitable[object]:
        """Ask a question, and return an awaitable of its answer; see `wait`."""
        return self.questions.awaited(self._ask(scope, question, check, call))

    def expect(self, question: str, check: Check) -> None:
        """Remember how answers are checked to a question that is about to be asked by an exception.

        Args:
            question: The id of the question.
            check: Raises an error if an answer does not fit.
        """
        self._checks[question] = check

    def asked(self, scope: Scope, signal: GraphInterrupt, call: Optional[str] = None) -> List[OpenQuestion]:
        """Ask the questions of an exception with which a task, or a tool call, has ended.

        Args:
            scope: The task.
            signal: The exception.
            call: See `wait`.

        Returns:
            The questions, which wait now; none if the exception is not one that an answer can undo.
        """
        asked, known = signal.interrupts, self.questions.was_answered
        if isinstance(signal, NodeInterrupt) or any(known(one.id) for one in asked):
            return []
        return [self._ask(scope, one, self._checks.pop(one.id, None), call) for one in asked]

    def attempts(
        self,
        attempt: Callable[..., Work[T]],
        scope_of: Callable[..., Scope],
        task: Task,
        parent: Optional[Scope],
        callbacks: object,
        trace: Optional[ParentTrace],
        stop: CancelToken,
        number: int = 1,
        began: Optional[float] = None,
    ) -> Work[T]:
        """Make an attempt of a task, and again from its top for questions that it asks by an exception.

        That is how code on an event loop asks with `interrupt()`, which cannot wait there.

        Args:
            attempt: Makes an attempt, given what follows `scope_of`.
            scope_of: Returns a scope of the task, given `task`, `stop`, `parent` and `trace`.
            task: The task.
            parent: The task around it.
            callbacks: The callback manager for what runs in it.
            trace: Its trace.
            stop: The cancel token of the attempt.
            number: Its number.
            began: When the first one began.
        """
        given, calls = task.input, task.calls
        while True:
            task.input = own_input(given)
            try:
                try:
                    return (yield from attempt(task, parent, callbacks, trace, stop, number, began))
                finally:
                    # Threads and asyncio tasks that it has left behind ask no more.
                    self.questions.end_below((*self._run.ns, *task.ns_suffix))
            except GraphInterrupt as signal:
                scope: Scope = scope_of(task, stop, parent, trace)
                asked = self.asked(scope, signal)
                if not asked:
                    raise
            yield from self._joined(asked)
            if isinstance(self._scope.messages, MessageTracker):
                self._scope.messages.discard(scope)
                self._scope.messages.retract(scope)
            task.calls = calls  # the graphs that it calls are the same ones, so that they find their answers

    def answered(self, scope: Scope, signal: GraphInterrupt, call: str) -> bool:
        """Ask the questions of a tool call's exception, and block until they are answered.

        Returns:
            Whether they are; `False` if the exception is not one that an answer can undo.
        """
        asked = self.asked(scope, signal, call)
        for one in asked:
            self.questions.wait(one)
        return bool(asked)

    async def aanswered(self, scope: Scope, signal: GraphInterrupt, call: str) -> bool:
        """Ask the questions of a tool call's exception, and await the answers; see `answered`."""
        asked = self.asked(scope, signal, call)
        for one in asked:
            await self.questions.awaited(one)
        return bool(asked)

    def _joined(self, asked: Sequence[OpenQuestion]) -> Work[None]:
        try:
            yield Join([one.answer for one in asked])
        finally:
            for one in asked:
                self.questions.end(one)
        if any(one.answer.cancelled() for one in asked):
            raise StreamClosed

    def _ask(self, scope: Scope, question: Interrupt, check: Check, call: Optional[str]) -> OpenQuestion:
        task, levels = scope.task, list(self._levels(scope))
        about = Paused(
            question.id, question.value, question.response_schema, task.name, task.step, scope.inner_ns, time()
        )

        def record(value: object) -> None:
            """Keep the answer for another attempt, and for a note."""
            with _pausing:
                if call is None and question.id == interrupt_id(scope.checkpoint_ns, len(task.answers)):
                    task.answers = (*task.answers, value)
                else:
                    task.call_answers = {**task.call_answers, question.id: value}
            scope.run.answers = {**scope.run.answers, question.id: value}

        def store() -> None:
            for live, at in levels:
                live._store(at)

        def settle() -> None:
            for live, at in levels:
                live._settle(at, question)

        def show() -> None:
            for live, at in levels:
                live._show(at, question)

        asked = OpenQuestion(about, scope.stop, check, record, store, settle)
        self.questions.add(asked)
        self.questions.show(asked, show)
        return asked

    def _levels(self, scope: Optional[Scope]) -> Iterator[Tuple[LiveRun, Scope]]:
        """Yield the task that asks and those around it, with their runs, up to the run whose stream is answered."""
        while scope is not None:
            live = scope.run.live
            if not isinstance(live, LiveRun) or live.questions is not self.questions:
                return
            yield live, scope
            scope = scope.parent

    def _show(self, scope: Scope, question: Interrupt) -> None:
        task = scope.task
        if self.on_question is not None:
            self.on_question(task, question, True)
        with self._lock:
            self._open.setdefault(task.id, {})[question.id] = question
            everything = {one.id: one for questions in self._open.values() for one in questions.values()}
            self._tell(self._noted(task), 1)  # in the order in which they were made
        if scope.watch is not None:
            with _pausing:
                scope.watch.pause()
        if scope.stop.is_set:
            return
        parts = self._parts.interrupted(task, (question,), called=scope.is_called)
        if not scope.is_called:
            parts += self._parts.values(self._run.state, {}, tuple(everything.values()))
        for part in parts:
            self._put(part)

    def _settle(self, scope: Scope, question: Interrupt) -> None:
        task = scope.task
        with self._lock:
            mine = self._open.get(task.id, {})
            if mine.pop(question.id, None) is None:
                return  # its run was left while it was shown
            if not mine:
                del self._open[task.id]
            self._tell([] if scope.stop.is_set or self.questions.over else self._noted(task), -1)
        if self.on_question is not None:
            self.on_question(task, question, False)
        if scope.watch is not None:
            with _pausing:
                scope.watch.go_on()

    def _store(self, scope: Scope) -> None:
        with self._lock:
            if not (scope.stop.is_set or self.questions.over):
                self._tell(self._noted(scope.task), 0)

    def _noted(self, task: Task) -> List[Effect]:
        """Return what stores the answers of a task, and the questions that still wait for one."""
        if not self._run.saves or task.node.action is None:
            return []
        answered = self.questions.was_answered
        return [Note(task, None, None, [one for one in self._open.get(task.id, {}).values() if not answered(one.id)])]


def asks_outside(questions: Optional[LiveQuestions], scope: Optional[Scope]) -> bool:
    """Return whether the questions of a run are those of a run around it.

    Args:
        questions: Its open questions.
        scope: The task in which it was started.
    """
    around = None if scope is None else scope.run.live
    return questions is not None and isinstance(around, LiveRun) and around.questions is questions


def paused(questions: Optional[LiveQuestions], scope: RunScope, asked: Sequence[Interrupt]) -> List[Paused]:
    """Return the questions that wait for an answer.

    Args:
        questions: The open questions of the stream, if they are answered while it goes on.
        scope: What the tasks of the run share.
        asked: The questions with which the run ends.
    """
    known = scope.asked or {}
    ended = [known.get(one.id) or Paused(one.id, one.value, one.response_schema) for one in asked]
    return ended if questions is None else [*questions.paused, *ended]
