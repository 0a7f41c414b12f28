"""Validation of a config at the time of the call."""

from __future__ import annotations

from typing import Mapping, Tuple

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables.config import CONFIG_KEYS

from streamgraph.errors import UnknownOptionError, closest

_KINDS: Mapping[str, Tuple[type, ...]] = {
    "tags": (list, tuple, set, frozenset),
    "metadata": (Mapping,),
    "callbacks": (list, tuple, BaseCallbackManager),
    "configurable": (Mapping,),
    "recursion_limit": (int,),
    "max_concurrency": (int,),
    "run_name": (str,),
}

_WANTED: Mapping[str, str] = {
    "tags": "a list of texts",
    "metadata": "a dict",
    "callbacks": "a list of handlers, or a callback manager",
    "configurable": "a dict",
    "recursion_limit": "a whole number",
    "max_concurrency": "a whole number",
    "run_name": "a text",
}


def check_config(config: object) -> None:
    """Validate a config.

    Without this check, a wrong config fails late, or has no effect and raises nothing.

    Args:
        config: The config of a call, or bound to a graph.

    Raises:
        UnknownOptionError: The config is not a mapping, a key resembles a known one, or a value has the wrong type.
    """
    if config is None:
        return
    if not isinstance(config, (dict, Mapping)):
        raise UnknownOptionError(
            f"config must be a dict, got {config!r:.80} of type {type(config).__name__}",
            hint='As in {"configurable": {"thread_id": "1"}, "tags": ["mine"]}.',
        )
    for key, value in config.items():
        kinds = _KINDS.get(key)
        if kinds is None:
            # Unknown keys are moved to `configurable`, as in langchain-core.
            if key not in CONFIG_KEYS and closest(key, CONFIG_KEYS, cutoff=0.8) is not None:
                hint = 'If it is a value of your own, put it into "configurable".'
                raise UnknownOptionError(f"The config has no key {key!r}", name=key, known=CONFIG_KEYS, hint=hint)
        elif value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
            what = f"{key} in the config must be {_WANTED[key]}"
            raise UnknownOptionError(f"{what}, got {value!r:.80} of type {type(value).__name__}")
        elif isinstance(value, int) and value < 1:
            raise UnknownOptionError(f"{key} must be at least 1, got {value!r}")
