"""Compile the specs of a builder into a plan."""

from __future__ import annotations

from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from langchain_core.runnables import Runnable

from streamgraph._core.plan import Branch, Channel, Join, Node, Plan, StateView
from streamgraph._langchain.nodes import as_action, identity_of
from streamgraph._policies import Policies
from streamgraph._runnable.base import is_graph
from streamgraph._runnable.schema import Schema, as_mapping, is_keyed, read_schema
from streamgraph.constants import END, START
from streamgraph.graph._annotations import first_hint
from streamgraph.graph._specs import DEFAULT_HANDLER, NodeOptions, NodeSpec, OutEdges, handler_name

JoinSpec = Tuple[Tuple[str, ...], str]


class _Leaving(NamedTuple):
    """Edges, joins and branches that leave a node."""

    edges: Tuple[str, ...]
    joins: Tuple[Join, ...]
    branches: Tuple[Branch, ...]


class _Joins:
    """Edges with several sources, indexed by trigger, source and target."""

    def __init__(self, joins: Iterable[Join]) -> None:
        self.by_trigger: Dict[str, Join] = {}
        self.by_source: Dict[str, List[Join]] = {}
        self.by_target: Dict[str, List[Join]] = {}
        for join in joins:
            self.by_trigger[join.trigger] = join
            self.by_target.setdefault(join.target, []).append(join)
            for source in join.sources:
                self.by_source.setdefault(source, []).append(join)


class Planner:
    """Compiles node and edge specs into a plan.

    Args:
        schema: The schema of the state.
        channels: The keys of the state, including those that only single nodes see.
        defaults: Policies for nodes that do not define their own.
    """

    def __init__(self, schema: Schema, channels: Mapping[str, Channel], defaults: NodeOptions) -> None:
        self._schema = schema
        self._channels = channels
        self._defaults = defaults
        self._readers: Dict[int, StateView] = {}

    def plan(
        self,
        name: str,
        nodes: Mapping[str, NodeSpec],
        outgoing: Mapping[str, OutEdges],
        joins: Sequence[JoinSpec],
        output_keys: Sequence[str],
    ) -> Plan:
        """Return the plan of a validated graph.

        Args:
            name: The graph's name.
            nodes: The nodes.
            outgoing: The edges and branches by their sources.
            joins: The edges with several sources.
            output_keys: The keys that `invoke` returns.
        """
        joining = _Joins(
            Join(frozenset(sources), target, f"join:{'+'.join(sources)}:{target}")
            for sources, target in joins
            if target != END
        )
        start = self._leaving(START, outgoing, joining)
        return Plan(
            name=name,
            start=Node(
                START,
                reader=self._reader(self._schema),
                triggers=(START,),
                edges=start.edges,
                branches=start.branches,
            ),
            nodes={
                node: self._node(node, spec, joining, self._leaving(node, outgoing, joining))
                for node, spec in nodes.items()
            },
            joins=joining.by_trigger,
            channels=dict(self._channels),
            output_keys=tuple(output_keys),
            as_mapping=as_mapping,
            computed=frozenset(self._schema.managed),
            closed=self._schema.closed and not self._schema.fixed,
            fixed=self._schema.fixed,
        )

    def _node(self, name: str, spec: NodeSpec, joining: _Joins, leaving: _Leaving) -> Node:
        how = spec.how.over(self._defaults)
        return Node(
            name,
            action=as_action(spec.action),
            reader=self._reader(spec.schema or self._schema),
            triggers=tuple(sorted([f"branch:to:{name}", *(join.trigger for join in joining.by_target.get(name, ()))])),
            defer=spec.defer,
            metadata=spec.metadata,
            tags=spec.tags,
            policies=Policies(how.retry or (), how.cache, how.timeout, how.trace),
            cache_name=identity_of(spec.action),
            handler=self._handler(name, spec, how),
            passes_on=is_graph(spec.action),
            edges=leaving.edges,
            joins=leaving.joins,
            branches=leaving.branches,
        )

    def _handler(self, name: str, spec: NodeSpec, how: NodeOptions) -> Optional[Node]:
        if how.handler is None:
            return None
        own = spec.how.handler is not None
        return Node(
            handler_name(name) if own else DEFAULT_HANDLER,
            action=as_action(how.handler, error=True),
            # A default retry policy also applies to error handlers; the retry policy of a single node does not.
            policies=Policies(self._defaults.retry or ()),
        )

    def _reader(self, schema: Schema) -> StateView:
        """Return the state view of a schema; one view is shared per schema object."""
        known = self._readers.get(id(schema))
        if known is None:
            known = self._readers[id(schema)] = schema.reader(self._channels)
        return known

    def _leaving(self, source: str, outgoing: Mapping[str, OutEdges], joining: _Joins) -> _Leaving:
        given = outgoing.get(source) or OutEdges()
        return _Leaving(
            edges=tuple(target for target in given.edges if target != END),
            joins=tuple(joining.by_source.get(source, ())),
            branches=tuple(
                Branch(
                    branch.name,
                    as_action(branch.path),
                    self._reader(branch.schema or self._schema),
                    branch.targets,
                    traced=not isinstance(branch.path, Runnable),
                    takes_more=branch.schema is None,
                )
                for branch in given.branches
            ),
        )


def node_input(target: object, state_schema: object) -> Optional[Schema]:
    """Return the schema of a node's input that its function names, or `None` for the whole state.

    A Runnable gets the whole state, whatever the function in it says, as in LangGraph: what such a node passes on may
    need more of the state than its function names.
    """
    return None if isinstance(target, Runnable) else branch_input(target, state_schema)


def branch_input(path: object, state_schema: object) -> Optional[Schema]:
    """Return the schema that a function annotates its first parameter with, or `None` if it takes the state."""
    hint = first_hint(path)
    return read_schema(hint) if hint is not state_schema and is_keyed(hint) else None
