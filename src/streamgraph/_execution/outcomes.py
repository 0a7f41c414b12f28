"""What a node or branch returned, on its way into the state: completed, and folded early where somebody looks."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Tuple, cast

from langchain_core.runnables import Runnable

from streamgraph._core.plan import PREVIOUS_KEY, RESULT_KEYS, Branch, NodeKind, Plan
from streamgraph._core.results import Pairs, Saved, TaskResult
from streamgraph._core.run import Run
from streamgraph._core.task import Task
from streamgraph._langchain.injection import Invocation
from streamgraph._langchain.nodes import AnyRunnable, as_action
from streamgraph._langchain.scope import Scope
from streamgraph._langchain.state_access import TASKS
from streamgraph._messages.matching import ids_come_from_reducers, prepared, prepared_writes, without_ids
from streamgraph._protocols import Call, Work
from streamgraph._streams.watchdog import Watchdog
from streamgraph._types import Send


def called_further(result: AnyRunnable, task: Task, invocation: Invocation, watch: Optional[Watchdog]) -> Work[object]:
    """Call the Runnable that a node returned in place of a result, with the node's input.

    Args:
        result: What the node returned.
        task: The task of the node.
        invocation: The config and scope of the task.
        watch: How long it may take.
    """
    further: object = result
    while isinstance(further, Runnable):
        further = yield Call(as_action(further), (task.input, invocation), False, watch)
    return further


def called_branch(branch: Branch, seen: object, invocation: Invocation) -> Work[object]:
    """Call a branch, and a Runnable that it may return in place of an answer."""
    answer: object = yield Call(branch.action, (seen, invocation))
    while isinstance(answer, Runnable):
        answer = yield Call(as_action(answer), (seen, invocation))
    return answer


def completed(run: Run, scope: Scope, outcome: TaskResult, *, cached: bool) -> TaskResult:
    """Return the result of a task with what belongs to it besides what its node returned.

    Args:
        run: The run of the task.
        scope: The task; what it has sent while it ran is taken from it.
        outcome: What its node returned.
        cached: The run has a cache. Messages without an id get a new one each time that a result is used again.
    """
    outcome = with_sent(run, scope, outcome)
    if cached and scope.task.node.policies.cache is not None:
        outcome = outcome._replace(kept=without_ids(outcome.writes))
    if run.plan.templates:
        outcome = outcome._replace(writes=_with_ids_of_batches(run.plan, outcome.writes))
    return outcome


def _with_ids_of_batches(plan: Plan, writes: Pairs) -> Pairs:
    """Return writes in which the messages for a `DeltaChannel` have ids, before anybody sees them."""
    return tuple(
        [(key, prepared(plan.channels[key], value) if key in plan.templates else value) for key, value in writes]
    )


def seen_by(plan: Plan, branch: Branch, state: object, result: object) -> object:
    """Return what a branch is called with: the state, and what its node has returned under other names.

    A branch that names no keys also gets what is not stored, as in LangGraph.

    Args:
        plan: The graph.
        branch: The branch.
        state: The state with the writes of the node.
        result: What the node has returned.
    """
    if not branch.takes_more or type(result) is not dict or not isinstance(state, dict):
        return state
    more = {key: value for key, value in result.items() if key not in plan.channels}
    return {**more, **state} if more else state


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
    return outcome._replace(stored=stored, folded=run.fold(task, stored))


def fold_early(run: Run, task: Task, writes: Pairs) -> Mapping[str, object]:
    """Return the values of the state that a task would see if the step ended with these writes of it.

    Args:
        run: The run of the task.
        task: The task.
        writes: What it has written so far.
    """
    return run.state.fold([(task.name, prepared_writes(run.plan, writes))])


def with_sent(run: Run, scope: Scope, outcome: TaskResult) -> TaskResult:
    """Return a result with what its task has sent while it ran.

    That comes before what the node returns; what its branches send comes after it.

    Args:
        run: The run of the task.
        scope: The task; what it has sent is taken from it.
        outcome: The result of its node, or of its node and branches.
    """
    sent, scope.writes = scope.writes, ()
    if not sent:
        return outcome
    writes = tuple(pair for pair in sent if pair[0] != TASKS)
    routes = tuple(cast("Send", value) for key, value in sent if key == TASKS)
    outcome = outcome._replace(routes=(*outcome.routes, *routes))
    if outcome.stored is None:
        return outcome._replace(writes=(*writes, *outcome.writes))
    stored = (*outcome.stored, *prepared_writes(run.plan, writes))
    return folded(run, scope.task, outcome._replace(writes=(*outcome.writes, *writes), stored=stored))


def with_ids(run: Run, task: Task, outcome: TaskResult) -> TaskResult:
    """Return a result whose messages have the ids that they will have in the state, before they are shown.

    Messages of keys with `add_messages` get theirs when they are prepared; a reducer of the user's that calls it gives
    them theirs when it runs, so that it runs now.
    """
    early = outcome.folded is None and ids_come_from_reducers(run.plan, outcome.writes)
    return folded(run, task, outcome) if early else outcome


def called_result(kind: NodeKind, result: Any, *, saved: bool) -> Tuple[Any, TaskResult]:
    """Return the value and the result of a `@task` or an `@entrypoint`.

    Args:
        kind: Which of them.
        result: What its function returned.
        saved: The run is saved, and with it what the next run of the thread gets as `previous`.
    """
    value, save = result if isinstance(result, Saved) else (result, result)
    writes = ((RESULT_KEYS[kind], value),)
    stored = (*writes, (PREVIOUS_KEY, save)) if saved and kind == "entrypoint" else None
    return value, TaskResult(writes, stored=stored)
