"""Answers at an earlier checkpoint: what is known of its tasks is carried over to the fork, and they go on anew."""

from __future__ import annotations

from typing import Iterable, List, Mapping, Sequence, Tuple

from streamgraph._core.answers import is_by_id
from streamgraph._core.record import Known, KnownTasks
from streamgraph._interrupts import interrupt_id
from streamgraph.errors import UnknownInterruptError

Due = Sequence[Tuple[str, str]]
"""The ids and names of the tasks of a step."""


def carried_over(known: KnownTasks, due: Due, forked: Due, ns: Sequence[str], resume: object) -> KnownTasks:
    """Return what is known of the tasks of a fork: answers, and the results of the tasks that nobody has answered.

    Args:
        known: What is known of the tasks at the earlier checkpoint, which may have been answered there.
        due: These tasks.
        forked: The same tasks in the fork, where they have other ids.
        ns: The namespace of the graph.
        resume: The answer to the one question that was asked there, or answers by id.

    Raises:
        UnknownInterruptError: It is no answer to a question of these tasks.
    """
    asked = {id_: _questions("|".join((*ns, f"{name}:{id_}")), known[id_]) for id_, name in due if id_ in known}
    named = _named(resume, [ids[-1] for ids in asked.values() if ids], {each for ids in asked.values() for each in ids})
    carried: KnownTasks = {}
    for (old, _), (new, _) in zip(due, forked):
        numbers = [number for number, id_ in enumerate(asked.get(old, ())) if id_ in named]
        if numbers:
            earlier, answered = known[old].answers[: numbers[0]], [asked[old][number] for number in numbers]
            carried[new] = Known(answers=[*earlier, *(named[id_] for id_ in answered)])
        elif old in known and known[old].result is not None:
            carried[new] = Known(known[old].result)
    return carried


def is_own(known: KnownTasks, due: Due, ns: Sequence[str], resume: object) -> bool:
    """Return whether answers are for questions that tasks have asked, and not for those of graphs in them.

    Args:
        known: What is known of the tasks.
        due: The tasks.
        ns: The namespace of their graph.
        resume: The answer to the one question, or answers by id.
    """
    asked = {
        id_ for task, name in due if task in known for id_ in _questions("|".join((*ns, f"{name}:{task}")), known[task])
    }
    by_calls = {id_ for about in known.values() for id_ in about.call_answers}
    inside = {question.id for about in known.values() for question in about.questions} - asked - by_calls
    return not inside.intersection(resume if is_by_id(resume) else inside)  # type: ignore[arg-type]


def _questions(ns: str, known: Known) -> List[str]:
    """Return the ids of the questions of a task, without those of graphs and tool calls in it."""
    last = {question.id for question in known.questions}
    ids = [interrupt_id(ns, number) for number in range(len(known.answers) + 1)]
    return ids if ids[-1] in last else ids[:-1]


def _named(resume: object, last: Sequence[str], asked: Iterable[str]) -> Mapping[str, object]:
    if not is_by_id(resume):
        if len(last) == 1:
            return {last[0]: resume}
        raise UnknownInterruptError(
            "An answer at an earlier checkpoint needs the id of its question, since not just one was asked there",
            reason="ambiguous" if last else "not_pending",
            pending_ids=sorted(last),
        )
    assert isinstance(resume, Mapping)
    unknown = sorted(set(resume).difference(asked))
    if unknown:
        raise UnknownInterruptError(
            f"At this earlier checkpoint no node has asked under {', '.join(unknown)}; to be asked again what a graph "
            "or a tool call in a node has asked, continue from there with None",
            reason="not_pending",
            interrupt_ids=unknown,
            pending_ids=sorted(last),
        )
    return resume
