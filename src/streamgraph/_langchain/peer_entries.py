"""What LangGraph's functions and graphs find in the config of one of our tasks.

A graph of LangGraph finds the task in which it runs by entries of `configurable`: through them it gets the context and
the store, streams into our run, takes part in the numbering of nested graphs, and knows that it is no root graph.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Dict, Mapping, Optional

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from streamgraph._compat.langgraph import (
    CALL,
    SCRATCHPAD,
    STREAM,
    Chunk,
    StreamAround,
    peer_execution,
    peer_runtime,
    peer_scratchpad,
)
from streamgraph._core.plan import Node
from streamgraph._langchain.lazy_entries import LazyEntries
from streamgraph._langchain.nodes import Arguments, as_call, identity_of, name_of
from streamgraph._langchain.peer_tasks import PeerTasks, node_of, outermost_task
from streamgraph._langchain.runtime import runtime_of
from streamgraph._langchain.scope import Scope
from streamgraph._policies import Policies, checked_cache_policy, retry_policies, timeout_policy
from streamgraph._reserved import CONFIG_KEY_CHECKPOINT_NS, CONFIG_KEY_RUNTIME, CONFIG_KEY_SEND, CONFIG_KEY_TASK_ID
from streamgraph._streams.copying import copy_containers
from streamgraph._streams.part import Part


def with_peer_entries(known: Dict[str, Any], scope: Scope) -> Dict[str, Any]:
    """Return the `configurable` of one of our tasks with what LangGraph's functions and graphs look for.

    Args:
        known: The entries that it has otherwise.
        scope: The task.
    """
    entries = LazyEntries(known)
    entries.make = partial(_peer_entries, scope)
    return entries


def _peer_entries(scope: Scope, known: Mapping[str, Any]) -> Dict[str, Any]:
    entries: Dict[str, Any] = {CONFIG_KEY_CHECKPOINT_NS: scope.checkpoint_ns, CONFIG_KEY_TASK_ID: scope.task.id}
    runtime = peer_runtime(
        {"context": scope.run.context, "store": scope.run.store, "stream_writer": _writer(scope, PeerTasks(scope))},
        lambda: {"heartbeat": scope.heartbeat, "execution_info": _execution(scope, known)},
    )
    if runtime is None:
        entries[CONFIG_KEY_RUNTIME] = runtime_of(
            scope
        )  # this package has replaced LangGraph, or only a part of that is loaded
        return entries
    entries[CONFIG_KEY_RUNTIME] = runtime
    entries[STREAM] = StreamAround(scope.run.subscribers.below.modes, _taker(scope))
    entries[CALL] = partial(_called, scope)
    around = outermost_task(scope)
    entries[SCRATCHPAD] = peer_scratchpad(
        None if around is None else around.scratchpad,
        next_graph=scope.next_call,
        step=scope.task.step,
        stop=scope.run.config.limit,
    )
    if around is not None and CONFIG_KEY_SEND in known:
        entries[CONFIG_KEY_SEND] = around.with_answers(known[CONFIG_KEY_SEND])
    return entries


def _called(
    scope: Scope,
    function: Callable[..., object],
    given: Arguments,
    *,
    retry_policy: Any = None,
    cache_policy: Any = None,
    timeout: Any = None,
    **others: object,
) -> object:
    """Start a `@task` of LangGraph that is called in a task of ours, as a task of ours, and return its future.

    Args:
        scope: The task in which it is called.
        function: The function.
        given: Its arguments, positional and by name.
        retry_policy: LangGraph's policies, likewise the following two.
        cache_policy: See above.
        timeout: See above.
        **others: What LangGraph passes besides, which is not needed here.
    """
    node = Node(
        name_of(function) or type(function).__name__,
        action=as_call(function),
        policies=Policies(retry_policies(retry_policy), checked_cache_policy(cache_policy), timeout_policy(timeout)),
        cache_name=identity_of(function),
        kind="task",
    )
    return scope.run.call(scope, node, given)


def _execution(scope: Scope, configurable: Mapping[str, Any]) -> object:
    run_id = scope.run.config.run_id or configurable.get("run_id")
    return peer_execution(
        checkpoint_id="",
        checkpoint_ns=scope.checkpoint_ns,
        task_id=scope.task.id,
        thread_id=configurable.get("thread_id"),
        run_id=None if run_id is None else str(run_id),
        node_attempt=scope.attempt,
        node_first_attempt_time=scope.began,
    )


def _writer(scope: Scope, tasks: PeerTasks) -> Callable[[object], None]:
    """Return the stream writer of a task, which is that of LangGraph's tasks in it as well."""

    def write(value: object) -> None:
        config = var_child_runnable_config.get()
        ns = ((config or {}).get("configurable") or {}).get(CONFIG_KEY_CHECKPOINT_NS)
        inner = scope if ns is None or config is None else tasks.scope_of(_placed(ns, config))
        inner.write(value)

    return write


def _placed(ns: str, config: RunnableConfig) -> Mapping[str, Any]:
    metadata = config.get("metadata") or {}
    if metadata.get("langgraph_checkpoint_ns") == ns:
        return metadata
    return {**metadata, "langgraph_checkpoint_ns": ns, "langgraph_node": node_of(ns)}


def _taker(scope: Scope) -> Callable[[Chunk], None]:
    """Return the function that takes the chunks of LangGraph's graphs in a task."""
    below, inner = scope.run.subscribers.below, scope.inner_ns

    def take(chunk: Chunk) -> None:
        ns, mode, payload = chunk
        if ns[: len(inner)] != inner:
            ns = (*inner, *ns)  # a run with a thread of its own, whose namespaces begin at its root
        part = Part(ns, mode, copy_containers(payload), _source(mode, payload))
        if scope.stop.is_set:
            scope.check_alive()
        elif below.part(part):
            scope.put_in(part)

    return take


def _source(mode: str, payload: Any) -> Optional[str]:
    """Return the node that a chunk of LangGraph comes from."""
    if mode == "debug" and isinstance(payload, Mapping):
        mode, payload = "tasks", payload.get("payload")
    if mode == "tasks" and isinstance(payload, Mapping):
        name = payload.get("name")
    else:
        name = next(iter(payload)) if mode == "updates" and isinstance(payload, Mapping) and len(payload) == 1 else None
    return name if isinstance(name, str) else None
