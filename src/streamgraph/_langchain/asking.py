"""Questions of the running task: their ids, and the answers that are known."""

from __future__ import annotations

from threading import Lock
from typing import Optional, Sequence, Tuple

from streamgraph._interrupting import tell_running_task
from streamgraph._interrupts import interrupt_id
from streamgraph._langchain.scope import Scope, current_scope
from streamgraph._langchain.side_calls import side_call

_counting = Lock()


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
        number = scope.asked_by[call] = scope.asked_by.get(call, -1) + 1
        question = interrupt_id(f"{scope.checkpoint_ns}|{call}", number)
        if question in scope.run.answers:
            task.call_answers = {**task.call_answers, question: scope.run.answers[question]}
        return ([task.call_answers[question]] if question in task.call_answers else ()), question


def _running_task() -> Optional[Asking]:
    scope = current_scope()
    return None if scope is None else Asking(scope)


tell_running_task(_running_task)
