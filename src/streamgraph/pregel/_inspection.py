"""What a graph that can run says of itself: nodes, channels, nested graphs, drawings and schemas."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Type,
    Union,
)

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.graph import Graph
from pydantic import BaseModel, create_model
from typing_extensions import get_type_hints

from streamgraph._core.plan import Node
from streamgraph._runnable.base import GraphBase
from streamgraph._runnable.subgraphs import graph_in
from streamgraph.constants import START, TAG_HIDDEN
from streamgraph.pregel._draw import Depth, below
from streamgraph.pregel._read import PregelNode
from streamgraph.warnings import LangGraphDeprecatedSinceV10

if TYPE_CHECKING:
    from streamgraph.watching import GraphShape


class GraphInspection(GraphBase):
    """The attributes and methods of a graph that describe it; none of them can be set."""

    @property
    def nodes(self) -> Mapping[str, PregelNode]:
        """The nodes by name, with the start of a compiled graph, as in LangGraph. What a node runs is its `bound`."""
        made: Optional[Mapping[str, PregelNode]] = vars(self).get("_nodes")
        if made is None:
            plan, found = self._own_plan, {}
            if plan.start.name == START:
                found[START] = PregelNode(channels=START, triggers=(START,), tags=(TAG_HIDDEN,))
            found.update({name: self._node(node, self._targets.get(name)) for name, node in plan.nodes.items()})
            made = self._nodes = MappingProxyType(found)
        return made

    def _node(self, node: Node, target: object) -> PregelNode:
        """Return what callers see of a node."""
        reader = node.reader
        keys = self._own_plan.channels if reader.keys is None else reader.keys
        # A workflow gets its input as it is given, and reads nothing.
        channels = START if node.kind == "entrypoint" else self._own_plan.bare_key if reader.root else None
        return PregelNode(
            channels=[*keys, *reader.managed] if channels is None else channels,
            triggers=node.triggers,
            tags=node.tags,
            metadata=node.metadata,
            bound=target,
            retry_policy=node.policies.retry,
            cache_policy=node.policies.cache,
            timeout=node.policies.timeout,
        )

    @property
    def stream_channels_asis(self) -> Union[str, Sequence[str]]:
        """The state keys that a stream shows by default, as they were set, or all."""
        return self.stream_channels or list(self._plan.channels)

    @property
    def stream_channels_list(self) -> Sequence[str]:
        """The state keys that a stream shows by default, as a list."""
        keys = self.stream_channels_asis
        return [keys] if isinstance(keys, str) else keys

    @property
    def trigger_to_nodes(self) -> Mapping[str, Sequence[str]]:
        """The nodes that each trigger can start."""
        found: Dict[str, List[str]] = {}
        for name, node in self.nodes.items():
            for trigger in node.triggers:
                found.setdefault(trigger, []).append(name)
        return MappingProxyType(found)

    @property
    def node_error_handler_map(self) -> Mapping[str, str]:
        """The names under which the error handlers of nodes run, by node name."""
        nodes = self._plan.nodes.items()
        return MappingProxyType({name: node.handler.name for name, node in nodes if node.handler is not None})

    def get_subgraphs(self, *, namespace: Optional[str] = None, recurse: bool = False) -> Iterator[Tuple[str, Any]]:
        """Yield `(node name, graph)` for nodes that are graphs or whose code shows that they call one.

        Args:
            namespace: Yield only the graph of this name.
            recurse: Also search these graphs; names have `|` between levels.
        """
        found = self._inside((self,), recurse=recurse)
        return (pair for pair in found if namespace is None or pair[0] == namespace)

    async def aget_subgraphs(
        self, *, namespace: Optional[str] = None, recurse: bool = False
    ) -> AsyncIterator[Tuple[str, Any]]:
        """Yield the same as `get_subgraphs`, for `async for`."""
        for pair in self.get_subgraphs(namespace=namespace, recurse=recurse):
            yield pair

    def get_graph(self, config: Optional[RunnableConfig] = None, *, xray: Depth = False) -> Graph:
        """Return the nodes and edges for drawing (`draw_mermaid()`, `draw_ascii()`) or inspection.

        Args:
            config: Not used; the structure of a graph does not depend on it.
            xray: Expand nodes that are graphs or call one: `True` at every depth, a number down to that depth.
        """
        return self._drawn(xray, (self,))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Dict[str, str]:
        """Return the picture of the graph for a notebook; it is drawn here, without a network."""
        from streamgraph.watching import graph_svg  # only notebooks draw

        return {"text/plain": repr(self), "image/svg+xml": graph_svg(self._picture((self,)), self.get_name())}

    def _picture(self, parents: Tuple[GraphBase, ...]) -> GraphShape:
        from streamgraph.watching import Edge, GraphShape

        drawn = self._drawn(False, parents)
        edges = [Edge(one.source, one.target, str(one.data or ""), one.conditional) for one in drawn.edges]
        inside = {
            name: graph._picture((*parents, graph))
            for name, graph in self._inside(parents, recurse=False)
            if isinstance(graph, GraphInspection)
        }
        return GraphShape(list(drawn.nodes), edges, inside)

    async def aget_graph(self, config: Optional[RunnableConfig] = None, *, xray: Depth = False) -> Graph:
        """Return the same as `get_graph`, for code that awaits it."""
        return self.get_graph(config, xray=xray)

    def _inside(self, parents: Tuple[GraphBase, ...], *, recurse: bool) -> Iterator[Tuple[str, GraphBase]]:
        """Yield the graphs in nodes, except the graphs in `parents`, because a graph may call itself."""
        for name, target in self._targets.items():
            inner = graph_in(target)
            if inner is None or any(inner._own_plan is graph._own_plan for graph in parents):
                continue
            yield name, inner
            if recurse and isinstance(inner, GraphInspection):
                for deeper, graph in inner._inside((*parents, inner), recurse=True):
                    yield f"{name}|{deeper}", graph

    def _drawn_inside(self, xray: Depth, parents: Tuple[GraphBase, ...]) -> Dict[str, Graph]:
        """Return the drawable graphs of the nodes to expand, by node name."""
        return {
            name: graph._drawn(below(xray), (*parents, graph))
            for name, graph in (self._inside(parents, recurse=False) if xray else ())
            if isinstance(graph, GraphInspection)
        }

    @abstractmethod
    def _drawn(self, xray: Depth, parents: Tuple[GraphBase, ...]) -> Graph:
        """Return the drawable graph.

        Args:
            xray: How far nested graphs are expanded.
            parents: The graphs around this one, and itself.
        """

    def config_schema(self, *, include: Optional[Sequence[str]] = None) -> Type[BaseModel]:
        """Return a pydantic model of the config; deprecated, `get_context_jsonschema` describes the context.

        Args:
            include: The keys of the config to describe, besides `configurable`.
        """
        _deprecated("config_schema")
        return self._config_model(include)

    def get_config_jsonschema(self, *, include: Optional[Sequence[str]] = None) -> Dict[str, Any]:
        """Return the JSON schema of the config; deprecated, see `config_schema`.

        Args:
            include: The keys of the config to describe, besides `configurable`.
        """
        _deprecated("get_config_jsonschema")
        return self._config_model(include).model_json_schema()

    def _config_model(self, include: Optional[Sequence[str]]) -> Type[BaseModel]:
        fields: Dict[str, Any] = {}
        if self.context_schema is not None:
            fields["configurable"] = (self.context_schema, None)
        hints = get_type_hints(RunnableConfig)
        for key in include or ():
            if key in hints and key != "configurable":
                fields[key] = (hints[key], None)
        return create_model(self.get_name("Config"), **fields)


def _deprecated(method: str) -> None:
    text = f"`{method}` is deprecated; use `get_context_jsonschema`, which describes the context of a run"
    warnings.warn(LangGraphDeprecatedSinceV10(text), stacklevel=3)
