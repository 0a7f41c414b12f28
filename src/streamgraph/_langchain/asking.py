"""Questions of the running task: their ids, and the answers that are known."""

from __future__ import annotations

from threading import Lock
from typing import Optional, Sequence, Tuple

from typing_extensions import Protocol

from streamgraph._interrupting import tell_running_task
from streamgraph._interrupts import Interrupt, interrupt_id
from streamgraph._langchain.scope import Scope, current_scope
from streamgraph._langchain.side_calls import side_call
from streamgraph.errors import GraphInterrupt, is_invalid_resume

_counting = Lock()


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
        with _counting:
            return _noted(self._scope, _call_of(self._scope), question)

    def rejects(self, question: Interrupt) -> None:
        """Note that the last answer is none; thread-safe."""
        call, task = _call_of(self._scope), self._scope.task
        with _counting:
            if call is None:
                task.answers = task.answers[:-1]
            else:
                task.call_answers = {key: answer for key, answer in task.call_answers.items() if key != question.id}
            _noted(self._scope, call, question)

    def _by_count(self) -> Tuple[Sequence[object], str]:
        scope, task = self._scope, self._scope.task
        number, scope.asked = scope.asked, scope.asked + 1
        question = interrupt_id(scope.checkpoint_ns, number)
        if number >= len(task.answers) and question in scope.run.answers:
            task.answers = (*task.answers, scope.run.answers[question])
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
        questions: The questions.
    """
    with _counting:
        scope.questions = scope.questions or {}
        scope.questions.update((("below", question.id), question) for question in questions)


def check_questions(scope: Scope) -> None:
    """Raise GraphInterrupt if a task has asked questions that are still open, though its code has caught that."""
    if scope.questions:
        raise GraphInterrupt(tuple(scope.questions.values()))


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
    questions = (*raised, *(question for question in scope.questions.values() if question.id not in known))
    if isinstance(error, GraphInterrupt) and len(questions) == len(raised):
        return error
    asked = GraphInterrupt(questions)
    asked.__cause__ = error
    return asked


def _failed_with(child: Ended, error: Exception) -> bool:
    return child.done() and not child.cancelled() and child.exception() is error


def _running_task() -> Optional[Asking]:
    scope = current_scope()
    return None if scope is None else Asking(scope)


tell_running_task(_running_task)
