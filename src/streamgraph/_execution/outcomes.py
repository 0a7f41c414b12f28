"""The result of a task on its way into the state: its writes as they are stored, folded early where somebody looks."""

from __future__ import annotations

from streamgraph._core.results import TaskResult
from streamgraph._core.run import Run
from streamgraph._core.task import Task
from streamgraph._messages.matching import ids_come_from_reducers, prepared_writes, without_ids


def folded(run: Run, task: Task, outcome: TaskResult) -> TaskResult:
    """Return a result with its writes folded into the state's values, for branches to see; the step stores the same.

    Args:
        run: The run of the task.
        task: The task.
        outcome: The result of its node.

    Raises:
        Exception: The exception of a reducer.
    """
    stored = outcome.stored or prepared_writes(run.plan, outcome.writes)
    return outcome._replace(stored=stored, folded=run.state.fold([(task.name, stored)]))


def with_ids(run: Run, task: Task, outcome: TaskResult) -> TaskResult:
    """Return a result whose messages have the ids that they will have in the state, before they are shown.

    Messages of keys with `add_messages` get theirs when they are prepared; a reducer of the user's that calls it gives
    them theirs when it runs, so that it runs now.
    """
    early = outcome.folded is None and ids_come_from_reducers(run.plan, outcome.writes)
    return folded(run, task, outcome) if early else outcome


def for_cache(outcome: TaskResult) -> TaskResult:
    """Return a result that a cache can keep: messages without an id get a new one each time it is used."""
    return outcome._replace(kept=without_ids(outcome.writes))
