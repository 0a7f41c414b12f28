"""Answers to open questions: which of them a `Command(resume=...)` is for."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional

from streamgraph._core.record import Known, KnownTasks
from streamgraph._core.task import Task
from streamgraph._interrupts import interrupt_id
from streamgraph.errors import EmptyInputError, UnknownInterruptError

_ID = re.compile("[0-9a-f]{32}")


def is_by_id(resume: object) -> bool:
    """Return whether answers are given by the ids of their questions."""
    return (
        isinstance(resume, Mapping)
        and bool(resume)
        and all(isinstance(key, str) and _ID.fullmatch(key) for key in resume)
    )


def answers_of(resume: object, known: KnownTasks, *, at_breakpoint: bool = False) -> Mapping[str, object]:
    """Return the answers by the ids of their questions.

    Args:
        resume: The answer to the one open question, or answers by id.
        known: What is known of the tasks of the step.
        at_breakpoint: The run was paused without a question, so that any answer lets it go on.

    Raises:
        UnknownInterruptError: An id is that of no open question, there is none at all, or there are several open
            questions and one answer without an id.
    """
    pending = _pending(known)
    if resume == {}:
        raise UnknownInterruptError(
            "The answer {} names no interrupt; give an empty dict as the answer of one by Command(resume={id: {}})",
            reason="empty_map",
            pending_ids=pending,
        )
    if is_by_id(resume):
        assert isinstance(resume, Mapping)
        answers: Dict[str, object] = dict(resume)
        unknown = [id_ for id_ in answers if id_ not in pending]
        if unknown:
            raise UnknownInterruptError(
                f"Unknown or already-consumed interrupt: {', '.join(unknown)}",
                reason="not_pending",
                interrupt_ids=unknown,
                pending_ids=pending,
            )
        return answers
    if len(pending) > 1:
        raise UnknownInterruptError(
            "When there are multiple pending interrupts, you must specify the interrupt id when resuming: "
            "Command(resume={id: answer})",
            reason="ambiguous",
            pending_ids=pending,
        )
    if not pending and at_breakpoint:
        return {}
    if not pending:
        raise UnknownInterruptError("There is nothing to answer", reason="not_pending")
    return {pending[0]: resume}


def empty_command(known: KnownTasks) -> EmptyInputError:
    """Return the error for a command that says nothing, as one with the answer `None` does.

    Args:
        known: What is known of the tasks of the step.
    """
    waiting = ", ".join(map(repr, _pending(known)))
    return EmptyInputError(
        "Received empty Command input: it has no update, no goto, and None is no answer to the one open question",
        hint=f"To answer with None, give Command(resume={{id: None}}). Waiting for an answer: {waiting or 'none'}.",
    )


def _pending(known: KnownTasks) -> List[str]:
    asking = [task for task in known.values() if task.result is None]
    return sorted({question.id for task in asking for question in task.questions})


def asks_other(known: KnownTasks, answers: Mapping[str, object]) -> bool:
    """Return whether questions are open, and the answers are for none of them.

    Args:
        known: What is known of the tasks of the step.
        answers: The answers by the ids of their questions.
    """
    pending = _pending(known)
    return bool(pending) and not any(id_ in answers for id_ in pending)


def still_asks(known: Known, answers: Optional[Mapping[str, object]]) -> bool:
    """Return whether a task need not run again yet, as none of its open questions is answered.

    A task that has failed after its question was answered runs again with the answer that it had.

    Args:
        known: What is known of it.
        answers: The answers with which the run is continued, by the ids of the questions; `None` if without any.
    """
    asks = answers is not None and bool(known.questions) and known.error is None
    return asks and not any(question.id in (answers or ()) for question in known.questions)


def reopened(known: Known, ns: str) -> Known:
    """Return what was known of a task when its last questions were open.

    Args:
        known: What has become of it since.
        ns: The namespace of graphs that run in it, in one string.
    """
    open_ids = {question.id for question in known.questions}
    number = next((at for at in range(len(known.answers)) if interrupt_id(ns, at) in open_ids), None)
    by_call = {id_: answer for id_, answer in known.call_answers.items() if id_ not in open_ids}
    return Known(questions=known.questions, answers=known.answers[:number], call_answers=by_call)


def take_answers(task: Task, ns: str, known: Known, answers: Optional[Mapping[str, object]]) -> None:
    """Give a task that runs again the answers that it was given before.

    An answer that is given once more takes the place of the earlier one, after which the task had failed.

    Args:
        task: The task.
        ns: The namespace of graphs that run in it, in one string.
        known: What is known of it.
        answers: The answers with which the run is continued.
    """
    earlier, by_call = list(known.answers), dict(known.call_answers)
    for question in known.questions if answers else ():
        if question.id not in (answers or ()):
            continue
        by_call.pop(question.id, None)
        number = next((at for at in range(len(earlier)) if interrupt_id(ns, at) == question.id), None)
        if number is not None and known.error is not None:
            del earlier[number:]
        elif number is not None:
            # LangGraph before 1.2 gave all questions of a task the id of the first one.
            earlier.append((answers or {})[question.id])
    task.answers, task.call_answers = tuple(earlier), by_call
