"""Configs of runs and tasks.

The config of a run is merged from the graph's bound config, the inherited config and the config of the call.
"""

from __future__ import annotations

from contextvars import Context, copy_context
from functools import partial
from sys import modules
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, cast

from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackHandler, BaseCallbackManager, CallbackManager
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import (
    CONFIG_KEYS,
    merge_configs,
    set_config_context,
    var_child_runnable_config,
)

from streamgraph._compat.langchain_core import INTERNAL_TAGS, follows_context
from streamgraph._compat.langgraph import PEER
from streamgraph._core.task import metadata_of
from streamgraph._langchain.run_config import DEFAULT_RECURSION_LIMIT, DefaultLimit, RunConfig
from streamgraph._langchain.scope import SCOPE_KEY, Scope
from streamgraph._langchain.state_access import READ_KEY, SEND_KEY, read_state, send_writes
from streamgraph._reserved import CONFIG_KEY_CHECKPOINT_NS

_KNOWN = frozenset(CONFIG_KEYS)

_UNSET = object()


def resolve_config(own: Optional[RunnableConfig], given: Optional[RunnableConfig], scope: Optional[Scope]) -> RunConfig:
    """Merge the config bound to a graph, the inherited config and the config of the call.

    Args:
        own: The config bound to the graph with `with_config`.
        given: The config of the call.
        scope: The task that calls the graph, if the graph is nested.
    """
    if not own and not given and scope is None and var_child_runnable_config.get() is None:
        return RunConfig()
    inherited: Mapping[str, Any] = var_child_runnable_config.get() or {}
    layers = (inherited, _tidy(own), _tidy(given))
    config = RunConfig()
    seen: Dict[str, None] = {}
    for layer in layers:
        if layer:
            seen.update(dict.fromkeys(layer.get("tags") or ()))
            config.metadata.update(layer.get("metadata") or {})
            config.configurable.update(layer.get("configurable") or {})
    if scope is not None:
        # A node's metadata is more specific than that bound to its graph.
        config.metadata.update(scope.task.node.metadata)
        config.metadata.update((given or {}).get("metadata") or {})
    if config.metadata:
        config.metadata = {key: value for key, value in config.metadata.items() if not key.startswith("langgraph_")}
    if seen:
        config.tags = user_tags(seen)
    config.callbacks = _callbacks(inherited, own, given)
    _, bound, called = layers
    config.limit = _limit(bound, called, scope)
    config.concurrency = _last("max_concurrency", *layers)
    config.name = _last("run_name", bound, called)
    config.run_id = _last("run_id", bound, called)
    for key in (SCOPE_KEY, READ_KEY, SEND_KEY):
        config.configurable.pop(key, None)
    if scope is not None and PEER in modules:
        _forget_place(config, scope)
    return config


def _forget_place(config: RunConfig, scope: Scope) -> None:
    """Remove what says in LangGraph's form where the calling task is: a nested run is in another place."""
    configurable = config.configurable
    config.metadata.pop(CONFIG_KEY_CHECKPOINT_NS, None)  # copied there from `configurable`
    if configurable.get(CONFIG_KEY_CHECKPOINT_NS) == scope.checkpoint_ns:
        del configurable[CONFIG_KEY_CHECKPOINT_NS]
    if configurable.get("checkpoint_id", "") is None:
        del configurable["checkpoint_id"]


def _tidy(config: Optional[RunnableConfig]) -> Mapping[str, Any]:
    """Return a config with its unknown keys moved to `configurable`, as in langchain-core."""
    if not config or _KNOWN.issuperset(config):
        return config or {}
    extra = {key: value for key, value in config.items() if key not in _KNOWN}
    tidied = {key: value for key, value in config.items() if key in _KNOWN}
    tidied["configurable"] = {**(config.get("configurable") or {}), **extra}
    return tidied


def bound_together(one: RunnableConfig, other: RunnableConfig) -> RunnableConfig:
    """Return the config of a graph that was bound to `one` and then to `other`.

    langchain-core's `merge_configs` would add the config of the current context and the defaults.
    """
    first, second = cast("Dict[str, Any]", one), cast("Dict[str, Any]", other)
    both = {**first, **second}
    for key in ("metadata", "configurable"):
        if key in both:
            both[key] = {**(first.get(key) or {}), **(second.get(key) or {})}
    if "tags" in both:
        both["tags"] = list(dict.fromkeys([*(one.get("tags") or ()), *(other.get("tags") or ())]))
    if "callbacks" in both:
        both["callbacks"] = _callbacks({}, one, other)
    return cast("RunnableConfig", both)


def _last(key: str, *layers: Mapping[str, Any]) -> Any:
    for layer in reversed(layers):
        if layer and layer.get(key) is not None:
            return layer[key]
    return None


def _limit(own: Mapping[str, Any], given: Mapping[str, Any], scope: Optional[Scope]) -> int:
    """Return the recursion limit of the call, else of the bound config, else the inherited one."""
    inherited: int = scope.run.config.limit if scope is not None else DEFAULT_RECURSION_LIMIT
    for limit in (given.get("recursion_limit"), own.get("recursion_limit"), inherited):
        if limit is not None and not isinstance(limit, DefaultLimit):
            return limit
    return DEFAULT_RECURSION_LIMIT


def _callbacks(inherited: Mapping[str, Any], own: Optional[RunnableConfig], given: Optional[RunnableConfig]) -> Any:
    # As in langchain-core: callbacks of the call replace inherited ones, and are added to bound ones.
    handed = (given or {}).get("callbacks")
    if handed is None:
        handed = inherited.get("callbacks")
    bound = (own or {}).get("callbacks")
    if handed is None or bound is None:
        return handed if bound is None else bound
    if isinstance(bound, list) and isinstance(handed, list):
        # A handler given in both places would receive every event twice.
        return [*bound, *(handler for handler in handed if not any(handler is known for known in bound))]
    return merge_configs({"callbacks": bound}, {"callbacks": handed}).get("callbacks")


def user_tags(tags: Iterable[str]) -> List[str]:
    """Return the tags without LangChain's internal ones."""
    return [tag for tag in tags if not tag.startswith(INTERNAL_TAGS)]


def open_manager(config: RunConfig, *, asynchronous: bool, without: Tuple[type, ...]) -> BaseCallbackManager:
    """Return a callback manager with all handlers, tracers and global hooks of the run.

    Args:
        config: The config of the run.
        asynchronous: True for an async run.
        without: Handler classes to leave out, because they belong to the parent run's task or to no run.
    """
    kind = AsyncCallbackManager if asynchronous else CallbackManager
    manager: BaseCallbackManager = kind.configure(
        inheritable_callbacks=config.callbacks,
        inheritable_tags=config.tags or None,
        inheritable_metadata=config.metadata or None,
    )
    manager.handlers = [handler for handler in manager.handlers if not isinstance(handler, without)]
    manager.inheritable_handlers = [h for h in manager.inheritable_handlers if not isinstance(h, without)]
    return manager


def extended(
    manager: BaseCallbackManager,
    handlers: Iterable[BaseCallbackHandler],
    tags: Sequence[str],
    metadata: Mapping[str, object],
) -> BaseCallbackManager:
    """Return a copy of a callback manager with more handlers, tags and metadata, which nested runs inherit."""
    copied = manager.copy()
    if metadata:
        copied.add_metadata(dict(metadata), inherit=True)
    if tags:
        copied.add_tags(list(tags), inherit=True)
    for handler in handlers:
        copied.add_handler(handler, inherit=True)
    return copied


def task_config(scope: Scope, callbacks: BaseCallbackManager) -> RunnableConfig:
    """Return the config of a task."""
    run, node = scope.run, scope.task.node
    made: RunnableConfig = {
        "metadata": {**run.metadata, **node.metadata, **metadata_of(scope.task, run.ns)},
        "callbacks": callbacks,
        "configurable": {
            **run.configurable,
            SCOPE_KEY: scope,
            # LangGraph's own ToolNode takes the keys of the state from the second argument of what reads it.
            READ_KEY: partial(read_state, scope, run.plan.channels),
            SEND_KEY: partial(send_writes, scope),
        },
        "recursion_limit": run.config.limit,
    }
    if run.config.tags or node.tags:
        made["tags"] = [*run.config.tags, *node.tags]
    if run.config.concurrency is not None:
        made["max_concurrency"] = run.config.concurrency
    return made


def enter_config(config: RunnableConfig, callbacks: BaseCallbackManager) -> None:
    """Set the config that Runnables in the current context inherit.

    It is never reset, because the context belongs to the task.

    Args:
        config: The config.
        callbacks: Its callback manager; a tracer that follows the context learns of the current run as well.
    """
    if not (callbacks.handlers and follows_context(callbacks.handlers)):
        var_child_runnable_config.set(config)
        return
    with set_config_context(config) as entered:
        _adopt(entered)


def _adopt(entered: Context) -> None:
    here = copy_context()
    for variable, value in entered.items():
        if here.get(variable, _UNSET) is not value:
            variable.set(value)
