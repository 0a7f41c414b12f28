"""A task as data: everything that a worker needs in order to run it as it would have run here."""

from __future__ import annotations

from typing import Collection, Dict, List, Mapping, Optional, Sequence, Tuple

from streamgraph._langchain.run_config import DefaultLimit
from streamgraph._langchain.scope import Scope
from streamgraph._streams.filters import Filter
from streamgraph._streams.subscribers import Subscriber, Subscribers
from streamgraph.executors._home_saving import facts_of_saving
from streamgraph.executors._home_store import facts_of_store
from streamgraph.executors._wire import is_sendable, packed

Rules = List[Tuple[List[str], Mapping[str, object]]]


def request_of(scope: Scope, given: object, target: str, leave_out: Collection[str], heard: bool = False) -> bytes:
    """Return a task as data.

    Args:
        scope: The attempt.
        given: The input of its node.
        target: The reference to what the worker runs.
        leave_out: The names of `configurable` that stay here, `"context"` and `"store"` if those of the run do.
        heard: The run has callback handlers that hear of what is called in the task.

    Raises:
        UnsendableValueError: Something of it cannot be made again by another process.
    """
    task, run = scope.task, scope.run
    config, plan = run.config, run.plan
    values: Dict[str, object] = {
        "target": target,
        "node": task.name,
        "id": task.id,
        "step": task.step,
        "triggers": task.triggers,
        "path": task.path,
        "ns_suffix": task.ns_suffix,
        "ns": run.ns,
        "input": given,
        "error": task.error,
        "answers": task.answers,
        "call_answers": task.call_answers,
        "run_answers": run.answers,
        "calls": task.calls,
        "attempt": scope.attempt,
        "began": scope.began,
        "previous": run.previous,
        "context": None if "context" in leave_out else run.context,
        "configurable": {
            key: value
            for key, value in run.configurable.items()
            if key not in leave_out and not (key.startswith("__") and not is_sendable(value))
        },
        "metadata": {**config.metadata},
        "tags": config.tags,
        "node_metadata": {**task.node.metadata},
        "node_tags": task.node.tags,
        "limit": None if isinstance(config.limit, DefaultLimit) else config.limit,
        "concurrency": config.concurrency,
        "run_id": None if config.run_id is None else str(config.run_id),
        "here": rules_of(run.subscribers.here),
        "below": rules_of(run.subscribers.below),
        "keys": list(plan.channels),
        "nodes": list(plan.nodes),
        "whole": task.node.reader.keys is None and task.input is given and "__pregel_pull" in task.path,
        "store": None if "store" in leave_out else facts_of_store(run.store, task.name),
        "saving": facts_of_saving(scope),
        "heard": heard,
        "watched": _is_watched(scope),
        "checks_mutations": run.checks_mutations,
    }
    names = {
        "input": "the input of the node",
        "context": "the context of the run",
        "configurable": "config['configurable']",
        "metadata": "config['metadata']",
        "node_metadata": "the metadata of the node",
        "previous": "what the run before has saved",
    }
    return packed(values, node=task.name, what=names)


def _is_watched(scope: Scope) -> bool:
    """Return whether signs of life reset a time limit: of the task, or of one around it."""
    around: Optional[Scope] = scope
    while around is not None:
        if around.watch is not None:
            return True
        around = around.parent
    return False


def rules_of(subscribers: Subscribers) -> Rules:
    """Return subscribers as data."""
    return [(sorted(one.modes), {} if one.filter is None else one.filter.rules) for one in subscribers.subscribers]


def subscribers_of(rules: Sequence[Tuple[Sequence[str], Mapping[str, object]]]) -> Subscribers:
    """Return the subscribers of what `rules_of` returned."""
    return Subscribers(
        [
            Subscriber(frozenset(modes), Filter(**options) if options else None)  # type: ignore[arg-type]
            for modes, options in rules
        ]
    )
