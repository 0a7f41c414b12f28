"""Threads, states, runs and assistants as the JSON of LangGraph's server."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Dict, List, Mapping, Optional, cast

from langchain_core.runnables import RunnableConfig

from streamgraph.pregel import Pregel
from streamgraph.types import PregelTask, StateSnapshot
from streamgraph_server._redaction import shown_error
from streamgraph_server._requests import Fields
from streamgraph_server._settings import Errors
from streamgraph_server._thread_facts import seconds
from streamgraph_server.served import ServedRun
from streamgraph_server.service import assistant_id
from streamgraph_server.threads import Thread

STATUSES = {"done": "success", "failed": "error", "cancelled": "interrupted"}
"""How the state of a run is named on this wire, where that is another name."""


def timestamp(seconds: float) -> str:
    """Return a time in ISO 8601."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def run_shape(run: ServedRun) -> Fields:
    """Return a run as clients read it."""
    order, facts = run.order, run.facts
    return {
        "run_id": facts.id,
        "thread_id": facts.thread_id,
        "assistant_id": assistant_id(order.name),
        "created_at": timestamp(facts.created),
        "updated_at": timestamp(run.updated),
        "status": STATUSES.get(run.status, run.status),
        "metadata": {"graph_id": order.name, **order.metadata},
        "multitask_strategy": order.multitask,
        "kwargs": {},
    }


def thread_status(state: Optional[StateSnapshot], last: Optional[ServedRun]) -> str:
    """Return the state of a thread: `busy`, `interrupted`, `error` or `idle`.

    Args:
        state: Its state; `None` if it has none.
        last: Its last run in this process; `None` if none is known.
    """
    if last is not None and not last.over.is_set():
        return "busy"
    if state is not None and state.interrupts:
        return "interrupted"
    if state is not None and any(task.error is not None for task in state.tasks):
        return "error"
    # A run may have failed before it has stored anything; another process may have run the thread since.
    if last is not None and last.end.status == "failed" and not _is_later(state, last):
        return "error"
    return "idle"


def _is_later(state: Optional[StateSnapshot], run: ServedRun) -> bool:
    return state is not None and state.created_at is not None and seconds(state.created_at) > run.updated


def thread_shape(thread: Thread, state: Optional[StateSnapshot], last: Optional[ServedRun]) -> Fields:
    """Return a thread as clients read it; see `thread_status`."""
    asked = {} if state is None else {task.id: list(task.interrupts) for task in state.tasks if task.interrupts}
    return {
        "thread_id": thread.id,
        "created_at": timestamp(thread.created),
        "updated_at": timestamp(thread.updated),
        "metadata": thread_metadata(thread),
        "status": thread_status(state, last),
        "config": {},
        "values": None if state is None or state.created_at is None else state.values,
        "interrupts": asked,
    }


def thread_metadata(thread: Thread) -> Fields:
    """Return what was noted about a thread, with the graph that ran on it last."""
    if thread.graph is None:
        return thread.metadata
    return {**thread.metadata, "graph_id": thread.graph, "assistant_id": assistant_id(thread.graph)}


def state_shape(thread_id: str, state: Optional[StateSnapshot], errors: Errors) -> Fields:
    """Return the state of a thread as clients read it; `None` is that of a thread without runs."""
    if state is None:
        where = checkpoint_shape({"configurable": {"thread_id": thread_id}})
        empty: Fields = {"values": {}, "next": [], "tasks": [], "metadata": {}, "created_at": None, "interrupts": []}
        return {**empty, "checkpoint": where, "parent_checkpoint": None, "checkpoint_id": None}
    where = checkpoint_shape(state.config)
    return {
        "values": state.values,
        "next": list(state.next),
        "tasks": [_task_shape(thread_id, task, errors) for task in state.tasks],
        "metadata": _without_owner(state.metadata),
        "created_at": state.created_at,
        "checkpoint": where,
        "parent_checkpoint": None if state.parent_config is None else checkpoint_shape(state.parent_config),
        "checkpoint_id": where["checkpoint_id"],
        "interrupts": list(state.interrupts),
    }


def _without_owner(metadata: Optional[Mapping[str, object]]) -> Fields:
    return {key: value for key, value in (metadata or {}).items() if key != "owner"}


def _task_shape(thread_id: str, task: PregelTask, errors: Errors) -> Fields:
    inner = task.state
    is_snapshot = isinstance(inner, StateSnapshot)
    where = None
    if is_snapshot:
        where = checkpoint_shape(cast("StateSnapshot", inner).config)
    elif isinstance(inner, dict):
        where = checkpoint_shape(inner)
    return {
        "id": task.id,
        "name": task.name,
        "path": list(task.path),
        "error": shown_error(task.error, errors),
        "interrupts": list(task.interrupts),
        "checkpoint": where,
        "state": state_shape(thread_id, cast("StateSnapshot", inner), errors) if is_snapshot else None,
        "result": task.result,
    }


def checkpoint_shape(config: RunnableConfig) -> Dict[str, object]:
    """Return where a state is, from its config."""
    given = config.get("configurable") or {}
    return {
        "thread_id": given.get("thread_id"),
        "checkpoint_ns": given.get("checkpoint_ns", ""),
        "checkpoint_id": given.get("checkpoint_id"),
        "checkpoint_map": given.get("checkpoint_map"),
    }


def assistant_shape(name: str, graph: Pregel, started: float) -> Fields:
    """Return a graph as the assistant that clients read of."""
    return {
        "assistant_id": assistant_id(name),
        "graph_id": name,
        "name": name,
        "description": None,
        "config": {},
        "context": {},
        "metadata": {"created_by": "system"},
        "version": 1,
        "created_at": timestamp(started),
        "updated_at": timestamp(started),
    }


def schemas_shape(name: str, graph: Pregel) -> Fields:
    """Return the schemas of a graph; a schema that cannot be written as JSON schema is `null`."""
    return {
        "graph_id": name,
        "input_schema": _schema(graph, "get_input_jsonschema"),
        "output_schema": _schema(graph, "get_output_jsonschema"),
        "state_schema": _schema(graph, "get_output_jsonschema"),
        "config_schema": _schema(graph, "get_context_jsonschema"),
        "context_schema": _schema(graph, "get_context_jsonschema"),
    }


def _schema(graph: Pregel, method: str) -> object:
    try:
        return getattr(graph, method)()
    except Exception:  # pydantic has no schema for a class in it, as with LangGraph
        return None


def shapes_of(items: List[Fields], offset: int, limit: int) -> List[Fields]:
    """Return a page of a list."""
    return items[offset : offset + limit]
