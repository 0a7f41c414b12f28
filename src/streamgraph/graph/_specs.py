"""Specs of nodes, branches and edges, as given to a builder and before compilation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Hashable, List, Mapping, Optional, Sequence, Tuple, Union

from langchain_core.runnables import Runnable

from streamgraph._langchain.nodes import is_node_like, name_of, takes_no_input
from streamgraph._policies import (
    CachePolicy,
    RetryPolicy,
    TimeoutPolicy,
    TracePolicy,
    checked_cache_policy,
    checked_trace_policy,
    retry_policies,
    timeout_policy,
)
from streamgraph._runnable.schema import Schema

DEFAULT_HANDLER = "__default_error_handler__"
"""Stream name of the error handler for nodes that do not define their own."""


def handler_name(node: str) -> str:
    """Return the name under which a node's error handler appears in streams, as in LangGraph."""
    return f"__error_handler__{node}"


@dataclass(frozen=True)
class NodeOptions:
    """Policies of a node; `None` means not set.

    Attributes:
        retry: The retry policies.
        cache: The cache policy.
        timeout: The time limits of one attempt.
        handler: The error handler, called after the last failed attempt.
        trace: What tracers record.
    """

    retry: Optional[Tuple[RetryPolicy, ...]] = None
    cache: Optional[CachePolicy] = None
    timeout: Optional[TimeoutPolicy] = None
    handler: object = None
    trace: Optional[TracePolicy] = None

    def over(self, other: NodeOptions) -> NodeOptions:
        """Return these options, with unset ones taken from `other`."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return replace(other, **given)


def sequence_name(node: object) -> Optional[str]:
    """Return the name of a node of `add_sequence` that is given without one: that of its function or class."""
    return type(node).__name__ if isinstance(node, Runnable) else name_of(node)


def node_options(
    retry: Union[RetryPolicy, Sequence[RetryPolicy], None],
    cache: Optional[CachePolicy],
    handler: object,
    timeout: Union[float, timedelta, TimeoutPolicy, None],
    trace: Optional[TracePolicy] = None,
) -> NodeOptions:
    """Validate the policy arguments of a node.

    Raises:
        TypeError: An argument has the wrong type.
        GraphBuildError: A time is not positive.
    """
    if handler is not None and not is_node_like(handler):
        raise TypeError(f"An error handler is not callable: {handler!r}.")
    if handler is not None and takes_no_input(handler):
        raise TypeError(f"An error handler takes no argument, but is called with the state: {handler!r}.")
    retries = None if retry is None else retry_policies(retry)
    return NodeOptions(
        retries, checked_cache_policy(cache), timeout_policy(timeout), handler, checked_trace_policy(trace)
    )


@dataclass(frozen=True)
class NodeSpec:
    """A node as passed to `add_node`.

    Attributes:
        action: The function, Runnable or dict of these.
        schema: The schema of the node's input; `None` for the whole state.
        defer: True if the node waits until nothing else is left to run.
        metadata: Metadata for everything that runs in the node.
        tags: Tags for everything that runs in the node.
        how: The policies.
        destinations: Targets of the node's `Command`s and their labels, for drawings.
    """

    action: object
    schema: Optional[Schema]
    defer: bool
    metadata: Mapping[str, object]
    tags: Tuple[str, ...]
    how: NodeOptions
    destinations: Mapping[str, Optional[str]]

    # The names that LangGraph's spec of a node has.

    @property
    def runnable(self) -> object:
        """The function, Runnable or dict of these."""
        return self.action

    @property
    def input_schema(self) -> object:
        """The class of the node's input; `None` for the whole state."""
        return None if self.schema is None else self.schema.source

    @property
    def retry_policy(self) -> Optional[Tuple[RetryPolicy, ...]]:
        """The retry policies; `None` if there are none of its own."""
        return self.how.retry

    @property
    def cache_policy(self) -> Optional[CachePolicy]:
        """The cache policy; `None` if there is none of its own."""
        return self.how.cache

    @property
    def timeout(self) -> Optional[TimeoutPolicy]:
        """The time limits of one attempt; `None` if there are none of its own."""
        return self.how.timeout

    @property
    def ends(self) -> Mapping[str, Optional[str]]:
        """Targets of the node's `Command`s and their labels."""
        return self.destinations


@dataclass(frozen=True)
class BranchSpec:
    """A conditional edge as passed to `add_conditional_edges`.

    Attributes:
        name: The function's name.
        path: The function.
        schema: The schema of the function's input; `None` for the whole state.
        targets: Results of the function -> node names; `None` if it returns node names.
    """

    name: str
    path: object
    schema: Optional[Schema]
    targets: Optional[Mapping[Hashable, str]]

    @property
    def ends(self) -> Optional[Mapping[Hashable, str]]:
        """The targets, under the name that LangGraph's spec of a branch has for them."""
        return self.targets


@dataclass
class OutEdges:
    """Edges and branches that leave a node."""

    edges: List[str] = field(default_factory=list)
    branches: List[BranchSpec] = field(default_factory=list)


def read_destinations(given: Union[Mapping[str, str], Sequence[str], None]) -> Mapping[str, Optional[str]]:
    """Normalize `destinations` to a mapping of node names to labels.

    Args:
        given: A mapping of names to labels, names alone, or `None`.
    """
    if isinstance(given, Mapping):
        return dict(given)
    names: Sequence[str] = (given,) if isinstance(given, str) else given or ()
    return dict.fromkeys(names)
