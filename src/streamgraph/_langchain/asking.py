"""Questions of the running task: their ids, and the answers that are known."""

from __future__ import annotations

from threading import Lock
from time import time
from typing import Awaitable, List, Optional, Sequence, Tuple, cast

from typing_extensions import Protocol

from streamgraph._interrupting import Check, tell_running_task
from streamgraph._interrupts import Interrupt, interrupt_id
from streamgraph._langchain.scope import Scope, current_scope
from streamgraph._langchain.side_calls import SideCall, side_call
from streamgraph._propagation import on_loop
from streamgraph._signals import Paused
from streamgraph.errors import GraphInterrupt, is_invalid_resume

_counting = Lock()

_PAUSED = Interrupt(None, "paused at a breakpoint")
"""Stands for the pause of a graph that has met a breakpoint, among the questions of the task that has called it."""


class Ended(Protocol):
    """The future of a `@task` that was called, as far as its end is concerned."""

    def done(self) -> bool:
        """Return True if it has ended."""

    def cancelled(self) -> bool:
        """Return True if it was cancelled."""

    def exception(self) -> Optional[BaseException]:
        """Return its exception, if it has ended with one."""


class Asking:
    """A task, as far as it can ask questions.

    Args:
        scope: The task.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def next_answer(self) -> Tuple[Sequence[object], str]:
        """Return the answer to the attempt's next question, or nothing, and the id of the question; thread-safe."""
        call = side_call(self._scope)
        with _counting:
            return self._by_count() if call is None else self._by_call(call.key)

    def asks(self, question: Interrupt) -> Interrupt:
        """Note a question without an answer; return the one that the code waits with; thread-safe."""
        if self._scope.run.live is None:
            _remember(self._scope, question)
        with _counting:
            return _noted(self._scope, _call_of(self._scope), question)

    def rejects(self, question: Interrupt) -> None:
        """Note that the last answer is none; thread-safe."""
        call, task = _call_of(self._scope), self._scope.task
        with _counting:
            if call is None and question.id not in task.call_answers:
                task.answers = task.answers[:-1]
            else:
                task.call_answers = {key: answer for key, answer in task.call_answers.items() if key != question.id}
            _noted(self._scope, call, question)

    def waits(self, question: Interrupt, check: Check) -> Sequence[object]:
        """Return the answer to a question when it is there; nothing if it cannot be waited for here."""
        live = _live(self._scope)
        if live is None:
            return ()
        if on_loop():
            live.expect(question.id, check)
            return ()
        return (live.wait(self._scope, question, check, _call_of(self._scope)),)

    async def awaits(self, question: Interrupt, check: Check) -> Sequence[object]:
        """Return the answer to a question when it is there; nothing if the run ends with its questions."""
        live = _live(self._scope)
        if live is None:
            return ()
        return (await live.awaited(self._scope, question, check, _call_of(self._scope)),)

    def _by_count(self) -> Tuple[Sequence[object], str]:
        scope, task = self._scope, self._scope.task
        number, scope.asked = scope.asked, scope.asked + 1
        question = interrupt_id(scope.checkpoint_ns, number)
        if number >= len(task.answers) and question in scope.run.answers:
            task.answers = (*task.answers, scope.run.answers[question])
        if question in task.call_answers:
            return (task.call_answers[question],), question
        return task.answers[number : number + 1], question

    def _by_call(self, call: str) -> Tuple[Sequence[object], str]:
        """Return the answer to the next question of one of several tool calls.

        They ask in any order, so their questions are told apart by the ids of the calls, and not by a count.
        """
        scope, task = self._scope, self._scope.task
        scope.asked_by = scope.asked_by or {}
        number = scope.asked_by[call] = scope.asked_by.get(call, -1) + 1
        question = interrupt_id(f"{scope.checkpoint_ns}|{call}", number)
        if question in scope.run.answers:
            task.call_answers = {**task.call_answers, question: scope.run.answers[question]}
        return ([task.call_answers[question]] if question in task.call_answers else ()), question


def _call_of(scope: Scope) -> Optional[str]:
    call = side_call(scope)
    return None if call is None else call.key


def _noted(scope: Scope, call: Optional[str], question: Interrupt) -> Interrupt:
    scope.questions = scope.questions or {}
    return scope.questions.setdefault(call, question)


def hand_on(scope: Scope, questions: Sequence[Interrupt]) -> None:
    """Note the questions of a graph or `@task` that was called in a task: the task ends with them as well; thread-safe.

    Args:
        scope: The task.
        questions: The questions; none if the graph was paused at a breakpoint.
    """
    with _counting:
        scope.questions = scope.questions or {}
        scope.questions.update((("below", question.id), question) for question in questions)
        if not questions:
            scope.questions[_PAUSED.id] = _PAUSED


def _asked(scope: Scope) -> List[Interrupt]:
    return [question for question in (scope.questions or {}).values() if question is not _PAUSED]


def check_questions(scope: Scope) -> None:
    """Raise GraphInterrupt if a task has asked questions that are still open, though its code has caught that."""
    if scope.questions:
        raise GraphInterrupt(tuple(_asked(scope)))


def ended_with(scope: Scope, error: Exception) -> Exception:
    """Return the exception with which a task ends.

    A task that has asked ends with all of its questions, whatever its code has made of the exception of one. It fails
    if one of its `@task`s has failed beside the question, or if an answer does not fit.

    Args:
        scope: The task.
        error: The exception of its code.
    """
    if not scope.questions or is_invalid_resume(error):
        return error
    raised = error.interrupts if isinstance(error, GraphInterrupt) else ()
    if not raised and any(_failed_with(child, error) for child in scope.children):
        return error
    known = {question.id for question in raised}
    questions = (*raised, *(question for question in _asked(scope) if question.id not in known))
    if isinstance(error, GraphInterrupt) and len(questions) == len(raised):
        return error
    asked = GraphInterrupt(questions)
    asked.__cause__ = error
    return asked


def _failed_with(child: Ended, error: Exception) -> bool:
    return child.done() and not child.cancelled() and child.exception() is error


def _remember(asking: Scope, question: Interrupt) -> None:
    """Remember where and when a question was asked, in each run that may end with it."""
    task, scope = asking.task, cast("Optional[Scope]", asking)
    about = Paused(question.id, question.value, question.response_schema, task.name, task.step, asking.inner_ns, time())
    while scope is not None:
        scope.run.asked = {**(scope.run.asked or {}), question.id: about}
        scope = scope.parent


class _Asked(Protocol):
    """Questions that wait for their answers."""

    def wait(self, scope: Scope, question: Interrupt, check: Check, call: Optional[str]) -> object:
        """Ask a question, block until it is answered, and return the answer."""

    def awaited(self, scope: Scope, question: Interrupt, check: Check, call: Optional[str]) -> Awaitable[object]:
        """Ask a question, and return an awaitable of its answer."""

    def expect(self, question: str, check: Check) -> None:
        """Remember how answers are checked to a question that is about to be asked by an exception."""

    def answered(self, scope: Scope, signal: GraphInterrupt, call: str) -> bool:
        """Ask the questions of an exception, block until they are answered, and return whether they are."""

    async def aanswered(self, scope: Scope, signal: GraphInterrupt, call: str) -> bool:
        """Ask the questions of an exception, await the answers, and return whether they are answered."""


def _live(scope: Scope) -> Optional[_Asked]:
    return cast("Optional[_Asked]", scope.run.live)


def answered(scope: Scope, signal: GraphInterrupt, call: SideCall) -> bool:
    """Wait for the answers to the questions with which a tool call has ended, if the run goes on meanwhile.

    Args:
        scope: The task of the call.
        signal: The exception that has ended the call.
        call: The call.

    Returns:
        Whether they are answered, so that the call can be made again.
    """
    live = _live(scope)
    if live is None or not live.answered(scope, signal, call.key):
        return False
    _begin_again(scope, call, signal)
    return True


async def aanswered(scope: Scope, signal: GraphInterrupt, call: SideCall) -> bool:
    """Await the answers to the questions with which a tool call has ended; see `answered`."""
    live = _live(scope)
    if live is None or not await live.aanswered(scope, signal, call.key):
        return False
    _begin_again(scope, call, signal)
    return True


def _begin_again(scope: Scope, call: SideCall, signal: GraphInterrupt) -> None:
    """Let a tool call ask from its first question on, and forget what it has written."""
    with _counting:
        if scope.asked_by is not None:
            scope.asked_by.pop(call.key, None)
        if scope.questions:
            known = (call.key, *(("below", question.id) for question in signal.interrupts))
            scope.questions = {key: one for key, one in scope.questions.items() if key not in known}
        scope.writes = tuple([pair for pair in scope.writes if not any(pair is one for one in call.sent)])
    call.begin_again()


def _running_task() -> Optional[Asking]:
    scope = current_scope()
    return None if scope is None else Asking(scope)


tell_running_task(_running_task)
