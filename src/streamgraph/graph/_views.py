"""What a builder shows of the graph that it has so far, in LangGraph's form."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Set, Tuple

from streamgraph._core.plan import Channel
from streamgraph._runnable.channel_marks import shown_channels
from streamgraph._runnable.schema import Hint, Schema
from streamgraph.channels import BaseChannel
from streamgraph.graph._compiler import JoinSpec
from streamgraph.graph._specs import BranchSpec, NodeSpec, OutEdges


class BuilderViews:
    """Read-only views of a builder; a change of what they return changes no graph.

    Attributes:
        nodes: The nodes by their names.
        compiled: True if `compile` was called; later changes do not affect the graph that it has returned.
    """

    nodes: Dict[str, NodeSpec]
    compiled: bool

    _schema: Schema
    _schemas: Dict[Hint, Schema]
    _channels: Mapping[str, Channel]
    _outgoing: Dict[str, OutEdges]
    _joins: List[JoinSpec]

    @property
    def channels(self) -> Mapping[str, BaseChannel[object, object, object]]:
        """The keys of the state with their channels, such as a `LastValue` or a `BinaryOperatorAggregate`."""
        return shown_channels(self._channels)

    @property
    def managed(self) -> Mapping[str, Any]:
        """The keys of the state that are computed for each step."""
        return self._schema.managed

    @property
    def schemas(self) -> Mapping[Hint, Mapping[str, Any]]:
        """The schemas of the graph and its nodes, each with its keys: their channels, or what computes them."""
        return {
            source: {**shown_channels(schema.channels), **schema.managed} for source, schema in self._schemas.items()
        }

    @property
    def edges(self) -> Set[Tuple[str, str]]:
        """The edges with one source, as `(source, target)`."""
        return {(source, target) for source, leaving in self._outgoing.items() for target in leaving.edges}

    @property
    def waiting_edges(self) -> Set[Tuple[Tuple[str, ...], str]]:
        """The edges that wait for several sources, as `(sources, target)`."""
        return set(self._joins)

    @property
    def branches(self) -> Mapping[str, Mapping[str, BranchSpec]]:
        """The branches by the nodes that they leave, and their names."""
        return {
            source: {branch.name: branch for branch in leaving.branches}
            for source, leaving in self._outgoing.items()
            if leaving.branches
        }
