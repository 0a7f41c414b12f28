"""Snapshots: stored records as users see them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from streamgraph._checkpoint.reading import Loaded
from streamgraph._core.handlers import found_of
from streamgraph._core.parts import root_or_mapping
from streamgraph._core.plan import Node, Plan
from streamgraph._core.record import UNSET, Known
from streamgraph._core.state import State, as_result
from streamgraph._core.task import PULL, PUSH
from streamgraph._snapshots import PregelTask, StateSnapshot
from streamgraph.constants import START

_NOTHING = Known()


class DueTask(NamedTuple):
    """A task of the step after a record.

    Attributes:
        id: Its id.
        name: Its node.
        path: Where it comes from.
        order: The sort key of its writes.
        known: What is known of it.
    """

    id: str
    name: str
    path: Tuple[Union[str, int], ...]
    order: Tuple[Any, ...]
    known: Known


def due_tasks(plan: Plan, loaded: Loaded) -> Iterator[DueTask]:
    """Yield the tasks of the step after a record: those of `Send`s, then nodes in the order of the graph."""
    record, known, ids, _ = loaded
    step = record.step + 1

    def about(id_: str, node: Optional[Node]) -> Known:
        found = known.get(id_) if node is None else found_of(ids, step, id_, node, known)
        return found or _NOTHING

    if record.given is not UNSET:
        start = plan.start
        id_ = ids.by_edge(step, start.name, start.triggers)
        yield DueTask(id_, start.name, (PULL, start.name), (0, 0, start.name), about(id_, start))
        return
    for index, send in enumerate(record.frontier.sends):
        id_, target = ids.by_send(step, send.node, index), plan.nodes.get(send.node)
        yield DueTask(id_, send.node, (PUSH, index, False), (1, index, send.node), about(id_, target))
    for name, node in plan.nodes.items():
        if name in record.frontier.due:
            id_ = ids.by_edge(step, name, node.triggers)
            yield DueTask(id_, name, (PULL, name), (0, 0, name), about(id_, node))


def snapshot(
    plan: Plan,
    stored: Any,
    loaded: Loaded,
    config: Mapping[str, Any],
    *,
    keys: Optional[Sequence[str]],
    latest: bool,
    below: Mapping[str, Any],
) -> StateSnapshot:
    """Return the snapshot of a stored record.

    Args:
        plan: The graph.
        stored: The saver's tuple.
        loaded: The record in it.
        config: The config to read it with.
        keys: The keys of the state to show; `None` for all.
        latest: The record is the last of its thread: what tasks after it have finished is part of the state.
        below: The configs or snapshots of graphs that run in tasks of the next step, by task id.
    """
    state = State(plan, loaded.record.values)
    for key, channel in plan.channels.items():
        if key not in state.values and channel.default is not None:
            state.values[key] = channel.default()
    state.replay(loaded.commanded)
    tasks = list(due_tasks(plan, loaded))
    started = loaded.record.given is not UNSET
    if latest and not started:
        done = sorted((task for task in tasks if task.known.result is not None), key=lambda task: task.order)
        state.store(state.fold([(task.name, task.known.result.writes) for task in done if task.known.result]))
    if latest:
        tasks = [
            task if task.known.result is None else task._replace(known=replace(task.known, questions=[]))
            for task in tasks
        ]
    shown = [_shown(task, started, loaded.record.given, below) for task in tasks]
    due = [task.name for task in tasks if not latest or started or task.known.result is None]
    return StateSnapshot(
        root_or_mapping(state, keys) if state.values or plan.bare_key else {},
        tuple(due),
        dict(config),  # type: ignore[arg-type]
        stored.metadata,
        stored.checkpoint["ts"],
        _parent_config(stored, config),
        tuple(shown),
        tuple(question for task in tasks for question in task.known.questions),
    )


def _parent_config(stored: Any, config: Mapping[str, Any]) -> Any:
    """Return the config of the record before, which knows the records around it as that of the snapshot does."""
    parent, around = stored.parent_config, config["configurable"].get("checkpoint_map")
    if parent is None or around is None:
        return parent
    named = parent["configurable"]
    return {"configurable": {**named, "checkpoint_map": {**around, named["checkpoint_ns"]: named["checkpoint_id"]}}}


def _shown(task: DueTask, started: bool, given: object, below: Mapping[str, Any]) -> PregelTask:
    known = task.known
    result: object = None
    if known.result is not None:
        result = as_result(known.result.writes)
    elif started and task.name == START and not known.questions and known.error is None:
        result = given
    return PregelTask(
        task.id,
        task.name,
        task.path,
        known.error,  # type: ignore[arg-type]
        tuple(known.questions),
        below.get(task.id),
        result,
    )


def empty_snapshot(config: Mapping[str, Any]) -> StateSnapshot:
    """Return the snapshot of a thread that has no record."""
    return StateSnapshot({}, (), dict(config), None, None, None, (), ())  # type: ignore[arg-type]


def saved_config(stored: Any, around: Mapping[str, str]) -> Dict[str, Any]:
    """Return the config with which a snapshot is read again.

    Args:
        stored: The saver's tuple.
        around: The ids of the records of the graphs around it, by namespace; by default what is stored with it.
    """
    around = around or stored.metadata.get("parents") or {}
    configurable: Dict[str, Any] = {
        key: value
        for key, value in stored.config["configurable"].items()
        if key in ("thread_id", "checkpoint_ns", "checkpoint_id")
    }
    if around:
        configurable["checkpoint_map"] = {**around, configurable["checkpoint_ns"]: configurable["checkpoint_id"]}
    return {"configurable": configurable}


def inner_config(task: DueTask, thread_id: str, ns: Tuple[str, ...], *, remembers: bool) -> Dict[str, Any]:
    """Return the config of the graph that runs in a task.

    Args:
        task: The task.
        thread_id: The thread.
        ns: The namespace of the task's graph.
        remembers: The graph keeps its state from one task to the next, so its namespace names no task.
    """
    own = task.name if remembers else f"{task.name}:{task.id}"
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": "|".join((*ns, own))}}
