"""The settings of a compiled graph: attributes that can be set later, and a refusal of all that cannot take effect."""

from __future__ import annotations

import copy
import inspect
from dataclasses import replace
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, Union, cast

from langchain_core.runnables import Runnable, RunnableConfig
from typing_extensions import Literal, Self, get_args

from streamgraph._core.plan import Node, Plan
from streamgraph._execution.cache import check_cache
from streamgraph._execution.mutations import checks_by_default
from streamgraph._langchain.configs import bound_together
from streamgraph._policies import CachePolicy, RetryPolicy, check_seconds, checked_cache_policy, retry_policies
from streamgraph._runnable.config_checks import check_config
from streamgraph._runnable.options import Keys, Modes, check_keys, checked_modes, checked_nodes
from streamgraph._snapshots import Checkpointer, ensure_valid_checkpointer
from streamgraph._types import All, Storage
from streamgraph.errors import FixedAttributeError, UnknownOptionError, closest
from streamgraph.stream._types import checked_factories

_NEAR = 0.8
"""The similarity, from 0 to 1, above which an unknown attribute is taken for a mistake."""


class GraphSettings(Runnable[Any, Any]):
    """The settings of a graph or workflow that is ready to run.

    They can be set at any time, for the runs that start afterwards. Setting what cannot take effect raises an error.

    Attributes:
        name: The name of its runs in traces.
        config: The config bound with `with_config`; `None` if there is none.
        context_schema: The class of the object passed to a run as `context=`.
        store: The store that its nodes get.
        cache: Storage for the results of nodes with a cache policy.
        checkpointer: The saver of its runs. In a graph that is nested in a saved run, `None` saves its runs for as long
            as the node runs, `True` remembers them from one run to the next, and `False` does not save them.
        storage: How the keys with a reducer are stored in saved runs; `None` for that of the graph around it, or else
            `"full"`.
        debug: True if every run prints its updates and values.
        checks_mutations: True if nodes that change the state in place are found.
        stream_mode: The mode or modes of a stream that asks for none.
        stream_channels: The state keys that a stream shows by default; `None` for all.
        output_channels: The state keys that `invoke` returns by default; a single key returns its bare value.
        step_timeout: The longest time that a step may take, in seconds; `None` for no limit.
        retry_policy: The retry policies of nodes that have none of their own.
        cache_policy: The cache policy of nodes that have none of their own.
        interrupt_before_nodes: The nodes before which a run pauses, or `"*"` for all.
        interrupt_after_nodes: The nodes after which a run pauses, or `"*"` for all.
        stream_transformers: What makes the transformers of `stream_events(version="v3")`.
        stream_eager: Without effect: chunks are always yielded as soon as they are made.
    """

    _plan: Plan
    """The plan with the default policies."""
    _own_plan: Plan
    """The plan as it was compiled."""
    _stream_keys: Keys
    """`stream_channels` as the option `output_keys`: `None` for all."""
    _output_keys: Keys
    """`output_channels`, likewise."""

    name: str
    config: Optional[RunnableConfig]
    context_schema: Optional[type]
    store: Any
    cache: Any
    checkpointer: Checkpointer
    storage: Optional[Storage]
    debug: bool
    checks_mutations: bool
    stream_mode: Modes
    stream_channels: Keys
    output_channels: Union[str, Sequence[str]]
    step_timeout: Optional[float]
    retry_policy: Sequence[RetryPolicy]
    cache_policy: Optional[CachePolicy]
    interrupt_before_nodes: Union[All, Sequence[str]]
    interrupt_after_nodes: Union[All, Sequence[str]]
    stream_eager: bool
    stream_transformers: Sequence[Callable[[Tuple[str, ...]], object]]

    def _set_up(
        self,
        plan: Plan,
        *,
        name: str,
        context_schema: Optional[type],
        store: object,
        cache: object,
        debug: Union[bool, Literal["mutations"]] = False,
        stream_mode: Modes = "updates",
    ) -> None:
        """Give all settings their first values; called by the constructors of all graphs.

        Args:
            plan: The compiled graph.
            name: See above.
            context_schema: See above.
            store: See above.
            cache: See above.
            debug: True or `"mutations"`, see `StateGraph.compile`.
            stream_mode: See above.
        """
        if debug not in (True, False, "mutations"):
            raise UnknownOptionError(f"Unknown debug {debug!r}", name=debug, known=("mutations",))
        self._own_plan = self._plan = plan
        self.name = name
        self.config = None
        self.context_schema = context_schema
        self.store = store
        self.cache = cache
        self.checkpointer = None
        self.storage = None
        self.debug = debug is True
        self.checks_mutations = debug == "mutations" or checks_by_default()
        self.stream_mode = stream_mode
        self.stream_channels = plan.bare_key if plan.bare_key is not None else list(plan.channels)
        self.output_channels = plan.bare_key if plan.bare_key is not None else list(plan.output_keys)
        self.step_timeout = None
        self.retry_policy = ()
        self.cache_policy = None
        self.interrupt_before_nodes = self.interrupt_after_nodes = ()
        self.stream_eager = False
        self.stream_transformers = ()

    def __setattr__(self, name: str, value: object) -> None:
        check = _SETTINGS.get(name)
        if check is not None:
            value = check(self, value)
        elif not name.startswith("_"):
            self._refuse_attribute(name, value)
        super().__setattr__(name, value)

    def _refuse_attribute(self, name: str, value: object) -> None:
        """Raise an error for an attribute that nothing reads.

        Methods can be replaced, as tests do, and attributes of a caller's own can be added.

        Raises:
            FixedAttributeError: The attribute is computed, or resembles a setting.
        """
        known = inspect.getattr_static(type(self), name, None)
        if isinstance(known, property) and known.fset is None:
            hint = "It follows from the nodes and channels that the graph is made of; make another graph of others."
            raise FixedAttributeError(f"{name} of a compiled graph cannot be set, got {value!r:.80}", hint=hint)
        if known is None and type(self).__module__.partition(".")[0] == __name__.partition(".")[0]:
            near = closest(name, _SETTINGS, cutoff=_NEAR)
            if near is not None:
                what = f"A compiled graph has no attribute {name!r}, so setting it would have no effect"
                raise FixedAttributeError(what, name=name, known=_SETTINGS)

    def with_config(self, config: Optional[RunnableConfig] = None, **kwargs: Any) -> Self:
        """Return a copy with a bound config; it is merged with the config of each call.

        Args:
            config: The config.
            **kwargs: Keys of the config.

        Raises:
            UnknownOptionError: The config is not a mapping, or one of its keys or values is invalid.
        """
        check_config(config)
        check_config(kwargs)
        bound = copy.copy(self)
        given = RunnableConfig(**{**(config or {}), **kwargs})  # type: ignore[typeddict-item]
        bound.config = given if self.config is None else bound_together(self.config, given)
        return bound

    def copy(self, update: Optional[Mapping[str, object]] = None) -> Self:
        """Return a copy with changed settings, such as its name.

        Args:
            update: The attributes and their values.

        Raises:
            FixedAttributeError: An attribute cannot take effect.
        """
        copied = copy.copy(self)
        for name, value in (update or {}).items():
            setattr(copied, name, value)
        return copied

    def _print_mode(self, given: Modes, debug: Optional[bool]) -> Modes:
        return ("updates", "values") if (self.debug if debug is None else debug) and not given else given

    def _with_default_policies(self, retry: Sequence[RetryPolicy], cache: Optional[CachePolicy]) -> None:
        """Give the nodes that have no policies of their own those of the graph."""
        own = self._own_plan
        if not retry and cache is None:
            self._plan = own
            return
        nodes = {name: _with_policies(node, tuple(retry), cache) for name, node in own.nodes.items()}
        self._plan = replace(own, nodes=nodes, start=nodes.get(own.start.name, own.start))


def _with_policies(node: Node, retry: Tuple[RetryPolicy, ...], cache: Optional[CachePolicy]) -> Node:
    policies = replace(node.policies, retry=node.policies.retry or retry, cache=node.policies.cache or cache)
    handler = node.handler
    if handler is not None and not handler.policies.retry:
        handler = replace(handler, policies=replace(handler.policies, retry=retry))
    return replace(node, policies=policies, handler=handler)


def _text(graph: GraphSettings, value: object) -> object:
    if not isinstance(value, str):
        raise TypeError(f"The name of a graph is a text, got {value!r:.80}.")
    return value


def _config(graph: GraphSettings, value: object) -> object:
    check_config(value)
    return value


def _schema(graph: GraphSettings, value: object) -> object:
    if value is not None and not isinstance(value, type):
        raise TypeError(f"context_schema is {value!r:.80}; give a class, or None.")
    return value


def _anything(graph: GraphSettings, value: object) -> object:
    return value


def _caching(graph: GraphSettings, value: object) -> object:
    check_cache(value)
    return value


def _saver(graph: GraphSettings, value: Any) -> object:
    ensure_valid_checkpointer(value)
    return value


def _storage(graph: GraphSettings, value: object) -> object:
    return checked_storage(value)


def checked_storage(value: object) -> Optional[Storage]:
    """Return a way of storing keys with a reducer, or `None`.

    Raises:
        UnknownOptionError: There is none of this name.
    """
    if value not in (None, *get_args(Storage)):
        raise UnknownOptionError(f"Unknown storage {value!r:.80}", name=value, known=get_args(Storage))
    return cast("Optional[Storage]", value)


def _flag(graph: GraphSettings, value: object) -> object:
    if not isinstance(value, bool):
        raise TypeError(f"Give True or False, got {value!r:.80}.")
    return value


def _modes(graph: GraphSettings, value: Modes) -> object:
    if not checked_modes(value if value is not None else ()):
        raise UnknownOptionError("stream_mode names no mode", hint='As in stream_mode = "updates".')
    return value


def _stream_channels(graph: GraphSettings, value: Keys) -> object:
    graph._stream_keys = _all_or_some(graph._plan, value)
    return value


def _output_channels(graph: GraphSettings, value: Keys) -> object:
    if value is None:
        raise UnknownOptionError("output_channels names no key", hint="Give one key, or a list of keys.")
    graph._output_keys = _all_or_some(graph._plan, value)
    return value


def _all_or_some(plan: Plan, value: Keys) -> Keys:
    """Return channels as the option `output_keys`, which is `None` for all of them."""
    keys = check_keys(plan, value)
    if isinstance(keys, str):
        return None if keys == plan.bare_key else keys
    return None if keys is None or set(keys) == set(plan.channels) else keys


def _step_timeout(graph: GraphSettings, value: object) -> object:
    return check_seconds("step_timeout", value)


def _retries(graph: GraphSettings, value: Sequence[RetryPolicy]) -> object:
    policies = retry_policies(value)
    graph._with_default_policies(policies, getattr(graph, "cache_policy", None))
    return policies


def _cache_policy(graph: GraphSettings, value: Optional[CachePolicy]) -> object:
    policy = checked_cache_policy(value)
    graph._with_default_policies(getattr(graph, "retry_policy", ()), policy)
    return policy


def _factories(graph: GraphSettings, value: object) -> object:
    return checked_factories(value)


def _nodes(graph: GraphSettings, value: Any) -> object:
    return checked_nodes(graph._plan, value) or ()


_SETTINGS: Dict[str, Callable[[GraphSettings, Any], object]] = {
    "name": _text,
    "config": _config,
    "context_schema": _schema,
    "store": _anything,
    "cache": _caching,
    "checkpointer": _saver,
    "storage": _storage,
    "debug": _flag,
    "checks_mutations": _flag,
    "stream_mode": _modes,
    "stream_channels": _stream_channels,
    "output_channels": _output_channels,
    "step_timeout": _step_timeout,
    "retry_policy": _retries,
    "cache_policy": _cache_policy,
    "interrupt_before_nodes": _nodes,
    "interrupt_after_nodes": _nodes,
    "stream_eager": _flag,
    "stream_transformers": _factories,
}
"""The attributes that can be set, and what checks a new value and makes it take effect."""
