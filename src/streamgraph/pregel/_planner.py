"""Checks nodes and channels, and compiles them into a plan."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from streamgraph._core.plan import Channel, Node, Plan, StateView
from streamgraph._langchain.nodes import as_action, identity_of, runs_inline
from streamgraph._policies import Policies
from streamgraph._reserved import ERROR, INPUT, INTERRUPT, NULL_TASK_ID, PULL, PUSH, RESUME, RETURN, TASKS
from streamgraph._runnable.base import is_graph
from streamgraph._runnable.channel_marks import channel_mark
from streamgraph._runnable.schema import as_mapping, computed_by
from streamgraph._types import Send
from streamgraph.constants import START, TAG_HIDDEN
from streamgraph.errors import GraphBuildError, UnknownNodeError, UnknownOptionError
from streamgraph.managed.base import ManagedValueSpec, is_managed_value
from streamgraph.pregel._builder import NodeBuilder
from streamgraph.pregel._read import PregelNode
from streamgraph.pregel._write import ChannelWriteEntry, written

_RESERVED = frozenset((ERROR, INPUT, INTERRUPT, NULL_TASK_ID, PULL, PUSH, RESUME, RETURN, TASKS))
"""Names that stand for something else in the stream or the state of a run."""

Names = Union[str, Sequence[str]]


def as_names(names: Names) -> Tuple[str, ...]:
    """Return one name or several as a tuple."""
    return (names,) if isinstance(names, str) else tuple(names)


def built_nodes(given: object) -> Dict[str, PregelNode]:
    """Return the nodes of a graph, with builders built.

    Raises:
        TypeError: The nodes are no mapping of names to nodes.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"nodes is {given!r:.80}; give a dict of names and NodeBuilders.")
    built: Dict[str, PregelNode] = {}
    for name, node in given.items():
        made = node.build() if isinstance(node, NodeBuilder) else node
        if not isinstance(made, PregelNode) or not isinstance(name, str):
            raise TypeError(
                f"Node {name!r} is {node!r:.80}; give a NodeBuilder, as in "
                "NodeBuilder().subscribe_only('input').do(function).write_to('output')."
            )
        built[name] = made
    return built


def sorted_channels(given: object) -> Tuple[Dict[str, Channel], Dict[str, Callable[[int, int], object]]]:
    """Return the channels of a graph in the form of a plan, and its values that are computed for each step.

    Raises:
        TypeError: Something is no channel.
        GraphBuildError: A name is reserved.
    """
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"channels is {given!r:.80}; give a dict of names and channels.")
    channels: Dict[str, Channel] = {}
    managed: Dict[str, Callable[[int, int], object]] = {}
    for name, channel in (given or {}).items():
        if name in _RESERVED:
            raise GraphBuildError(f"The name {name!r} of a channel is reserved", hint="Give it another name.")
        mark = channel if is_managed_value(channel) else _managed(channel)
        if mark is not None:
            managed[name] = computed_by(mark)
            continue
        made = channel_mark(name, Any, [channel])
        if made is None or isinstance(channel, type):
            raise TypeError(f"Channel {name!r} is {channel!r:.80}; give a channel object, such as LastValue(int).")
        channels[name] = made
    return channels, managed


def _managed(channel: object) -> Optional[ManagedValueSpec]:
    """Return the mark in an annotation such as `RemainingSteps`."""
    marks = getattr(channel, "__metadata__", ())
    return next((mark for mark in marks if is_managed_value(mark)), None)


def check_option(option: str, names: object) -> None:
    """Raise TypeError unless the value of an option is the name of a channel, or several names."""
    several = names if isinstance(names, (list, tuple)) else (names,)
    if not all(isinstance(name, str) for name in several):
        raise TypeError(f"{option} is {names!r:.80}; give the name of a channel, or a list of names.")


def check_graph(
    nodes: Mapping[str, PregelNode], channels: Mapping[str, Channel], managed: Mapping[str, object], inputs: Names
) -> None:
    """Check that all names of channels and nodes are known, and that the input starts a node.

    Raises:
        UnknownOptionError: There is no such channel.
        UnknownNodeError: A `Send` goes to no node.
        GraphBuildError: A name is reserved, or no node is subscribed to the input.
    """
    for name, node in nodes.items():
        if name in _RESERVED:
            raise GraphBuildError(f"The name {name!r} of a node is reserved", hint="Give it another name.")
        _check_known(node.triggers, channels, f"Node {name!r} is subscribed to")
        readable: Dict[str, object] = dict(channels)
        if not isinstance(node.channels, str):
            readable.update(managed)
        _check_known(as_names(node.channels), readable, f"Node {name!r} reads")
        direct = [entry.channel for entry in node.writers if isinstance(entry, ChannelWriteEntry)]
        _check_known(direct, channels, f"Node {name!r} writes to")
        for entry in node.writers:
            if isinstance(entry, Send) and entry.node not in nodes:
                what = f"Node {name!r} sends to {entry.node!r}, but the graph has no such node"
                raise UnknownNodeError(what, name=entry.node, known=nodes)
    _check_known(as_names(inputs), channels, "input_channels has")
    subscribed = {trigger for node in nodes.values() for trigger in node.triggers}
    if subscribed.isdisjoint(as_names(inputs)):
        raise GraphBuildError(
            f"No node is subscribed to the input: {inputs!r}",
            hint=f"Subscribe one with subscribe_only() or subscribe_to(), or take one of {sorted(subscribed)}.",
        )


def _check_known(names: Iterable[str], known: Mapping[str, object], what: str) -> None:
    for name in names:
        if name not in known:
            raise UnknownOptionError(f"{what} channel {name!r}, which the graph does not have", name=name, known=known)


def plan_of(
    name: str,
    nodes: Mapping[str, PregelNode],
    channels: Mapping[str, Channel],
    managed: Mapping[str, Callable[[int, int], object]],
    outputs: Names,
    handlers: Mapping[str, str],
) -> Plan:
    """Return the plan of a graph.

    Args:
        name: The graph's name.
        nodes: The nodes.
        channels: The channels.
        managed: The values that are computed for each step.
        outputs: The channels that `invoke` returns.
        handlers: The nodes that run in the place of failed ones, by their names.

    Raises:
        UnknownNodeError: There is no such node.
    """
    for node_name in (*handlers, *handlers.values()):
        if node_name not in nodes:
            what = f"node_error_handler_map names {node_name!r}, but the graph has no such node"
            raise UnknownNodeError(what, name=node_name, known=nodes)
    made = {key: _node(key, node, managed, handles=key in handlers.values()) for key, node in nodes.items()}
    started_by: Dict[str, List[str]] = {}
    for key, node in nodes.items():
        for trigger in dict.fromkeys(node.triggers):
            started_by.setdefault(trigger, []).append(key)
    return Plan(
        name=name,
        start=Node(START, triggers=(START,)),
        nodes={key: replace(made[key], handler=made[handlers[key]]) if key in handlers else made[key] for key in nodes},
        joins={},
        channels=channels,
        output_keys=as_names(outputs),
        as_mapping=as_mapping,
        computed=frozenset(managed),
        started_by={key: tuple(names) for key, names in started_by.items()},
    )


def _node(name: str, node: PregelNode, managed: Mapping[str, Callable[[int, int], object]], *, handles: bool) -> Node:
    return Node(
        name,
        action=as_action(_passed_on if node.target is None else node.target, error=handles),
        reader=_reader(node, managed),
        triggers=tuple(sorted(node.triggers)),
        metadata=node.metadata,
        tags=tuple(node.tags),
        policies=Policies(node.retry_policy, node.cache_policy, node.timeout),
        cache_name=identity_of(node.target),
        passes_on=is_graph(node.target),
        writes=partial(written, node.writers, name),
        needs=node.channels if isinstance(node.channels, str) else None,
        hidden=TAG_HIDDEN in node.tags,
    )


def _reader(node: PregelNode, managed: Mapping[str, Callable[[int, int], object]]) -> StateView:
    names, mapper = node.channels, node.mapper
    if isinstance(names, str):
        return StateView((names,), partial(_only, names, mapper))
    computed = {key: managed[key] for key in names if key in managed}
    return StateView(tuple(key for key in dict.fromkeys(names) if key not in managed), mapper, computed)


def _only(name: str, mapper: Optional[Callable[..., object]], seen: Dict[str, object]) -> object:
    value = seen.get(name)
    return value if mapper is None else mapper(value)


@runs_inline
def _passed_on(value: object) -> object:
    return value
