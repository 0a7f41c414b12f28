"""The plan: a compiled graph, immutable and shared by all runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Callable, Dict, FrozenSet, Hashable, Mapping, Optional, Tuple

from typing_extensions import Literal

from streamgraph._core.action import Action
from streamgraph._core.channel_objects import ChannelTemplate
from streamgraph._policies import NO_POLICIES, Policies

ROOT_KEY = "__root__"
"""The one key of a state that is not a mapping, such as `StateGraph(Annotated[int, operator.add])`."""

RETURN_KEY = "__return__"
"""The key of what a `@task` returns, in task events."""

RESULT_KEY = "__end__"
"""The key of what an `@entrypoint` returns: the one key of its state, and of its task events."""

PREVIOUS_KEY = "__previous__"
"""The key of what an `@entrypoint` saves for the next run of its thread."""

BARE_KEYS = frozenset((ROOT_KEY, RETURN_KEY, RESULT_KEY))
"""The keys whose values are shown bare, without the key."""


NodeKind = Literal["node", "task", "entrypoint"]
"""What a node was made of: a node of a graph, a `@task` or an `@entrypoint`."""

RESULT_KEYS: Dict[NodeKind, str] = {"task": RETURN_KEY, "entrypoint": RESULT_KEY}
"""The key under which the whole result of such a node is written; that of a node of a graph is read as an update."""

Reducer = Callable[[Any, Any], Any]
"""A user's function of the current value and the update."""


@dataclass(frozen=True)
class Channel:
    """One key of the state.

    Attributes:
        key: Its name.
        reduce: Folds a written value into the current one; without it the key takes one write per step.
        default: Makes the initial value of a reducer; without it the first write is stored as it is.
        prepare: Converts an update to the form in which it is stored (messages get their ids).
        pure: `reduce` changes neither of its arguments, and returns neither if they are containers.
        template: Makes the channel object that holds the value in a run; such a key has neither `reduce` nor `default`.
        shown: The channel as users see it, for the key of a state schema: an instance of a public channel class.
    """

    key: str
    reduce: Optional[Reducer] = None
    default: Optional[Callable[[], object]] = None
    prepare: Optional[Callable[[Any], object]] = None
    pure: bool = False
    template: Optional[ChannelTemplate] = None
    shown: object = None


@dataclass(frozen=True)
class StateView:
    """The part of the state that a node or branch function gets.

    Attributes:
        keys: The keys it gets; `None` for all of them.
        build: Makes the object it gets from the mapping of these keys.
        managed: Values computed for the step instead of stored: key -> function of (step, recursion limit).
        root: The state is the one value under `ROOT_KEY`.
    """

    keys: Optional[Tuple[str, ...]] = None
    build: Optional[Callable[[Dict[str, object]], object]] = None
    managed: Mapping[str, Callable[[int, int], object]] = field(default_factory=dict)
    root: bool = False


@dataclass(frozen=True)
class Branch:
    """A conditional edge: a function that gets the state after its source and returns the next nodes.

    Attributes:
        name: The function's name.
        action: Calls it.
        reader: Its view of the state.
        targets: Its results -> node names; `None` if it returns node names.
        traced: Its calls get a trace; False for a Runnable, which traces itself.
        takes_more: It names no keys of the state, so that it also gets others that its source returns.
    """

    name: str
    action: Action
    reader: StateView
    targets: Optional[Mapping[Hashable, str]] = None
    traced: bool = True
    takes_more: bool = False


@dataclass(frozen=True)
class Join:
    """An edge from several nodes that fires when all of them have run.

    Attributes:
        sources: The nodes it waits for.
        target: The node it starts.
        trigger: Its name in task events.
    """

    sources: FrozenSet[str]
    target: str
    trigger: str


@dataclass(frozen=True)
class Node:
    """One node.

    Attributes:
        name: Its name.
        action: Calls it; `None` for the virtual start.
        reader: Its view of the state.
        triggers: The triggers that can start it, sorted, as in task events.
        edges: The nodes that follow it, without the end.
        joins: The joins of which it is a source.
        branches: Its conditional edges.
        defer: It waits until nothing else is left to run.
        metadata: The user's metadata for everything it runs.
        tags: The user's tags, likewise.
        policies: Its policies for retries, time limits and caching.
        cache_name: Distinguishes its cached results from those of other nodes with the same name.
        handler: The node that runs in its place when it has failed.
        shown: Makes the input that traces show; by default the node's input.
        kind: A node of a graph, a `@task` or an `@entrypoint`.
        writes: Makes what it has written from its result, which is otherwise read as an update.
        needs: It does not run while this key has no value.
        hidden: Streams do not show it.
        passes_on: Its result may have keys that the state does not have: it is a graph with a state of its own.
    """

    name: str
    action: Optional[Action] = None
    reader: StateView = StateView()
    triggers: Tuple[str, ...] = ()
    edges: Tuple[str, ...] = ()
    joins: Tuple[Join, ...] = ()
    branches: Tuple[Branch, ...] = ()
    defer: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict)
    tags: Tuple[str, ...] = ()
    policies: Policies = NO_POLICIES
    cache_name: str = ""
    handler: Optional[Node] = None
    shown: Optional[Callable[[Any], object]] = None
    kind: NodeKind = "node"
    passes_on: bool = False
    writes: Optional[Callable[[object], Any]] = None
    needs: Optional[str] = None
    hidden: bool = False


@dataclass(frozen=True)
class Plan:
    """A compiled graph.

    Attributes:
        name: The graph's name.
        start: The node of step 0: the virtual node whose edges and branches name the entry points of a graph, or the
            function of a workflow.
        nodes: The nodes by name.
        joins: The joins by trigger.
        channels: The state's keys in the order of the schema, private ones last.
        output_keys: The keys that `invoke` returns.
        as_mapping: Turns a state object that a node returned into the keys it sets, or returns `None` for anything
            else.
        computed: The keys that nodes see and that are computed for each step.
        closed: The schema allows no other keys.
        fixed: The schema is a class with a fixed set of keys, which says nothing about those of updates.
        started_by: For a graph of nodes and channels, the nodes that run when a key was updated, by key.
    """

    name: str
    start: Node
    nodes: Mapping[str, Node]
    joins: Mapping[str, Join]
    channels: Mapping[str, Channel]
    output_keys: Tuple[str, ...]
    as_mapping: Callable[[object], Optional[Mapping[str, object]]]
    computed: FrozenSet[str] = frozenset()
    closed: bool = False
    fixed: bool = False
    started_by: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def root(self) -> bool:
        """True if nodes see and write one value instead of a mapping."""
        return ROOT_KEY in self.channels and not self.started_by

    @cached_property
    def bare_key(self) -> Optional[str]:
        """The key whose bare value is the state as users see it; `None` if they see a mapping."""
        bare = (ROOT_KEY, RESULT_KEY) if not self.started_by else ()
        return next((key for key in bare if key in self.channels), None)

    @cached_property
    def templates(self) -> Mapping[str, ChannelTemplate]:
        """What makes the channel objects of a run, by key."""
        made = ((key, channel.template) for key, channel in self.channels.items())
        return {key: template for key, template in made if template is not None}

    @cached_property
    def deferred(self) -> FrozenSet[str]:
        """The nodes that wait until nothing else is left to run."""
        return frozenset(name for name, node in self.nodes.items() if node.defer)
