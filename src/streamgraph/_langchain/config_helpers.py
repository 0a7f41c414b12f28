"""Helpers for users' configs: fill in the defaults, merge, and change single entries.

None of them changes a config that it is given.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, cast

from langchain_core.callbacks import BaseCallbackManager, Callbacks
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import CONFIG_KEYS, var_child_runnable_config
from langchain_core.runnables.config import merge_configs as merge_in_core

from streamgraph._langchain.run_config import DEFAULT_RECURSION_LIMIT, SHOWN_CONFIGURABLE, DefaultLimit
from streamgraph._reserved import (
    CONF,
    CONFIG_KEY_CHECKPOINT_ID,
    CONFIG_KEY_CHECKPOINT_MAP,
    CONFIG_KEY_CHECKPOINT_NS,
    CONFIG_KEY_THREAD_ID,
)

_KNOWN = frozenset(CONFIG_KEYS)

_OWN_THREAD = (CONFIG_KEY_THREAD_ID, CONFIG_KEY_CHECKPOINT_NS, CONFIG_KEY_CHECKPOINT_ID, CONFIG_KEY_CHECKPOINT_MAP)
"""Whoever gives one of these says where a run is saved, so nothing of an enclosing run applies to it."""

Made = Dict[str, Any]
"""A config that is being made."""

Given = Optional[Mapping[str, Any]]


def ensure_config(*configs: Optional[RunnableConfig]) -> RunnableConfig:
    """Return a config that has every key: that of the running code, merged with the given ones.

    Later configs go before earlier ones; tags are added, entries of `metadata` and `configurable` are merged. Keys that
    no config has are moved to `configurable`. The ids among these (`thread_id`, `run_id`, …) are also put into
    `metadata`, which traces show.

    Args:
        *configs: The configs, or `None`.

    Returns:
        A new config with `tags`, `metadata`, `callbacks`, `recursion_limit` and `configurable`.
    """
    made: Made = {
        "tags": [],
        "metadata": {},
        "callbacks": None,
        "recursion_limit": DEFAULT_RECURSION_LIMIT,
        CONF: {},
    }
    ambient: Mapping[str, Any] = var_child_runnable_config.get() or {}
    _merge_into(made, ambient)
    inherited = frozenset(made["tags"])
    if any(_given((config or {}).get(CONF, {}).get(key)) for config in configs for key in _OWN_THREAD):
        made[CONF] = {}
    for config in configs:
        # A nested graph gets its parent's config twice: as the ambient one and as that of the call.
        _merge_into(made, config, without_tags=inherited)
    for key in SHOWN_CONFIGURABLE:
        if made[CONF].get(key):
            made["metadata"].setdefault(key, made[CONF][key])
    return cast("RunnableConfig", made)


def merge_configs(*configs: Optional[RunnableConfig]) -> RunnableConfig:
    """Return the given configs as one.

    Unlike `ensure_config` it adds neither the config of the running code nor defaults, except for an empty
    `configurable`. Empty values are left out, and a default recursion limit does not replace one that was set.

    Args:
        *configs: The configs, or `None`; later ones go before earlier ones.
    """
    made: Made = {}
    for config in configs:
        _merge_into(made, config)
    made.setdefault(CONF, {})
    return cast("RunnableConfig", made)


def patch_config(
    config: Optional[RunnableConfig],
    *,
    callbacks: Callbacks = None,
    recursion_limit: Optional[int] = None,
    max_concurrency: Optional[int] = None,
    run_name: Optional[str] = None,
    configurable: Optional[Dict[str, object]] = None,
) -> RunnableConfig:
    """Return a copy of a config with some keys replaced.

    Args:
        config: The config, or `None` for an empty one.
        callbacks: The callbacks. The name and the id of the run are dropped, since they belong to the old ones.
        recursion_limit: The largest number of supersteps.
        max_concurrency: The largest number of tasks that run at once.
        run_name: The name of the run in traces.
        configurable: Entries that are added to `configurable`.
    """
    made = _copied(config)
    if callbacks is not None:
        made["callbacks"] = callbacks
        made.pop("run_name", None)
        made.pop("run_id", None)
    changes = {"recursion_limit": recursion_limit, "max_concurrency": max_concurrency, "run_name": run_name}
    made.update({key: value for key, value in changes.items() if value is not None})
    patched = cast("RunnableConfig", made)
    return patched if configurable is None else patch_configurable(patched, configurable)


def patch_configurable(config: Optional[RunnableConfig], patch: Dict[str, object]) -> RunnableConfig:
    """Return a copy of a config with entries added to its `configurable`.

    Args:
        config: The config, or `None` for an empty one.
        patch: The entries; they replace those of the same name.
    """
    made = _copied(config)
    made[CONF] = {**(made.get(CONF) or {}), **patch}
    return cast("RunnableConfig", made)


def _copied(config: Given) -> Made:
    return {**(config or {})}


def _given(value: object) -> bool:
    return len(value) > 0 if isinstance(value, (list, tuple, dict)) else value is not None


def _merge_into(made: Made, config: Given, without_tags: frozenset = frozenset()) -> None:  # type: ignore[type-arg]
    """Merge a config into a new one, which is changed."""
    for key, value in (config or {}).items():
        if not _given(value):
            continue
        if key not in _KNOWN:
            made[CONF] = {**(made.get(CONF) or {}), key: value}
        elif key == "tags":
            tags: List[str] = [tag for tag in value if tag not in without_tags]
            made[key] = [*(made.get(key) or ()), *tags]
        elif key == "metadata":
            made[key] = _merged_metadata(made.get(key) or {}, value)
        elif key == CONF:
            made[key] = {**(made.get(key) or {}), **value}
        elif key == "callbacks":
            made[key] = _merged_callbacks(made.get(key), value)
        elif key != "recursion_limit" or not isinstance(value, DefaultLimit) or key not in made:
            made[key] = value


def _merged_metadata(one: Made, other: Made) -> Made:
    """Merge metadata; the versions of packages, which each package adds for itself, are merged one level deeper."""
    versions = "lc_versions"
    merged = {**one, **other}
    if isinstance(one.get(versions), Mapping) and isinstance(other.get(versions), Mapping):
        merged[versions] = {**one[versions], **other[versions]}
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in merged.items()}


def _merged_callbacks(one: Callbacks, other: Callbacks) -> Callbacks:
    if one is None:
        return other.copy() if isinstance(other, (list, BaseCallbackManager)) else other
    return merge_in_core({"callbacks": one}, {"callbacks": other}).get("callbacks")
