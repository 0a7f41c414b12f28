"""What a builder has been told, before it is compiled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Hashable, List, Mapping, Optional, Sequence, Tuple, Union

from streamgraph._langchain.nodes import is_node_like, takes_no_input
from streamgraph._policies import (
    CachePolicy,
    RetryPolicy,
    TimeoutPolicy,
    checked_cache_policy,
    retry_policies,
    timeout_policy,
)
from streamgraph._runnable.schema import Schema

DEFAULT_HANDLER = "__default_error_handler__"
"""The name of the error handler that nodes without one of their own have."""


def handler_name(node: str) -> str:
    """Return the name under which the error handler of a node appears in streams, as in LangGraph."""
    return f"__error_handler__{node}"


@dataclass(frozen=True)
class NodeOptions:
    """How nodes are run; what is `None` has not been said.

    Attributes:
        retry: When they are tried again.
        cache: How their results are kept.
        timeout: How long an attempt may take.
        handler: What runs in their place when they have failed.
    """

    retry: Optional[Tuple[RetryPolicy, ...]] = None
    cache: Optional[CachePolicy] = None
    timeout: Optional[TimeoutPolicy] = None
    handler: object = None

    def over(self, other: NodeOptions) -> NodeOptions:
        """Return this, with what it does not say taken from `other`."""
        said = {name: value for name, value in vars(self).items() if value is not None}
        return replace(other, **said)


def node_options(
    retry: Union[RetryPolicy, Sequence[RetryPolicy], None],
    cache: Optional[CachePolicy],
    handler: object,
    timeout: Union[float, timedelta, TimeoutPolicy, None],
) -> NodeOptions:
    """Check the arguments of a node that say how it is run.

    Raises:
        TypeError: One of them is something else than it should be.
        GraphBuildError: A time is not positive.
    """
    if handler is not None and not is_node_like(handler):
        raise TypeError(f"An error handler is not callable: {handler!r}.")
    if handler is not None and takes_no_input(handler):
        raise TypeError(f"An error handler takes no argument, but is called with the state: {handler!r}.")
    retries = None if retry is None else retry_policies(retry)
    return NodeOptions(retries, checked_cache_policy(cache), timeout_policy(timeout), handler)


@dataclass(frozen=True)
class NodeSpec:
    """A node as it was added.

    Attributes:
        action: What it does.
        schema: What it gets instead of the whole state.
        defer: It waits until nothing else is left to run.
        metadata: The metadata of everything that it runs.
        tags: The tags, likewise.
        how: How it is run.
        destinations: Where it may go besides its edges, and how these ways are labelled in a drawing.
    """

    action: object
    schema: Optional[Schema]
    defer: bool
    metadata: Mapping[str, object]
    tags: Tuple[str, ...]
    how: NodeOptions
    destinations: Mapping[str, Optional[str]]


@dataclass(frozen=True)
class BranchSpec:
    """A conditional edge as it was added.

    Attributes:
        name: The function's name.
        path: The function.
        schema: What it gets instead of the whole state.
        targets: Its results -> node names, if it does not return node names itself.
    """

    name: str
    path: object
    schema: Optional[Schema]
    targets: Optional[Mapping[Hashable, str]]


@dataclass
class OutEdges:
    """What leaves a node."""

    edges: List[str] = field(default_factory=list)
    branches: List[BranchSpec] = field(default_factory=list)


def read_destinations(given: Union[Mapping[str, str], Sequence[str], None]) -> Mapping[str, Optional[str]]:
    """Return `destinations` as names and their labels.

    Args:
        given: A mapping of names to labels, or names alone, or `None`.
    """
    if isinstance(given, Mapping):
        return dict(given)
    names: Sequence[str] = (given,) if isinstance(given, str) else given or ()
    return dict.fromkeys(names)
