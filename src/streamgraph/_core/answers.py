"""Answers to open questions: which of them a `Command(resume=...)` is for."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping

from streamgraph._core.record import KnownTasks
from streamgraph.errors import UnknownInterruptError

_ID = re.compile("[0-9a-f]{32}")


def is_by_id(resume: object) -> bool:
    """Return whether answers are given by the ids of their questions."""
    return (
        isinstance(resume, Mapping)
        and bool(resume)
        and all(isinstance(key, str) and _ID.fullmatch(key) for key in resume)
    )


def answers_of(resume: object, known: KnownTasks) -> Mapping[str, object]:
    """Return the answers by the ids of their questions.

    Args:
        resume: The answer to the one open question, or answers by id.
        known: What is known of the tasks of the step.

    Raises:
        UnknownInterruptError: An id is that of no open question, or there is none at all.
        RuntimeError: There are several open questions, and one answer without an id.
    """
    pending: List[str] = list(
        dict.fromkeys(question.id for task in known.values() if task.result is None for question in task.questions)
    )
    if is_by_id(resume):
        assert isinstance(resume, Mapping)
        answers: Dict[str, object] = dict(resume)
        unknown = [id_ for id_ in answers if id_ not in pending]
        if unknown:
            raise UnknownInterruptError(
                f"No question waits under {', '.join(map(repr, unknown))}",
                reason="not_pending",
                interrupt_ids=unknown,
                pending_ids=pending,
            )
        return answers
    if len(pending) > 1:
        raise RuntimeError(
            "When there are multiple pending interrupts, you must specify the interrupt id when resuming: "
            f"Command(resume={{id: answer}}), with some of {', '.join(pending)}."
        )
    if not pending:
        raise UnknownInterruptError("There is nothing to answer", reason="not_pending")
    return {pending[0]: resume}
