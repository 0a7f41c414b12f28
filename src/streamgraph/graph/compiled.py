"""The compiled graph: a Runnable that runs and streams."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Generic, Iterator, Mapping, Optional, Tuple, Type, Union

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.graph import Graph
from pydantic import BaseModel
from typing_extensions import Literal, TypeVar

from streamgraph._core.plan import Plan
from streamgraph._core.state import Writes
from streamgraph._runnable.base import GraphBase
from streamgraph._runnable.channel_marks import shown_channels
from streamgraph._runnable.inputs import read_input
from streamgraph._runnable.runnable import GraphRunnable
from streamgraph._runnable.schema import Schema
from streamgraph._runnable.schema_models import model_of, typed_state
from streamgraph._runnable.subgraphs import graph_in
from streamgraph.channels import BaseChannel
from streamgraph.graph._draw import below, drawable
from streamgraph.graph._specs import NodeSpec

__all__ = ["CompiledStateGraph"]

StateT = TypeVar("StateT", default=Any)
ContextT = TypeVar("ContextT", default=None)
InputT = TypeVar("InputT", default=StateT)
OutputT = TypeVar("OutputT", default=StateT)


class CompiledStateGraph(
    GraphRunnable[Union[InputT, Mapping[str, Any]], ContextT, StateT, OutputT, Literal[True]],
    Generic[StateT, ContextT, InputT, OutputT],
):
    """A graph that is ready to run; created by `StateGraph.compile`.

    As a Runnable it can be invoked, streamed, batched, composed with `|`, bound to a config, and used as a node of
    another graph. It holds no state of a run, so one instance can run many times at once.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        builder: Any,
        specs: Mapping[str, NodeSpec],
        schemas: Tuple[Schema, Schema],
        context_schema: Optional[type],
        store: object,
        cache: object,
        name: str,
        debug: Union[bool, Literal["mutations"]],
    ) -> None:
        super().__init__(name=name, context_schema=context_schema, store=store, cache=cache, debug=debug)
        self.builder = builder
        self._plan = plan
        self._specs = specs
        self._targets = {name: spec.action for name, spec in specs.items()}
        self._input, self._output = schemas

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, nodes={list(self._plan.nodes)})"

    def _writes(self, given: object, *, lenient: bool) -> Writes:
        return read_input(self._plan, self._input, given, lenient=lenient)

    def _typed(self, output: object) -> object:
        return typed_state(self._output, output)

    def get_input_schema(self, config: Optional[RunnableConfig] = None) -> Type[BaseModel]:
        """Return a pydantic model of the graph's input; `config` is not used."""
        return model_of(self._input, self.get_name("Input"))

    def get_output_schema(self, config: Optional[RunnableConfig] = None) -> Type[BaseModel]:
        """Return a pydantic model of the graph's output; `config` is not used."""
        return model_of(self._output, self.get_name("Output"))

    @property
    def channels(self) -> Mapping[str, BaseChannel[object, object, object]]:
        """The keys of the state with their channels, such as a `LastValue` or a `BinaryOperatorAggregate`."""
        return shown_channels(self._plan.channels)

    @property
    def nodes(self) -> Mapping[str, Any]:
        """The functions or Runnables of the nodes, by node name."""
        return MappingProxyType(dict(self._targets))

    def get_subgraphs(self, *, namespace: Optional[str] = None, recurse: bool = False) -> Iterator[Tuple[str, Any]]:
        """Yield `(node name, graph)` for nodes that are graphs or whose code shows that they call one.

        Args:
            namespace: Yield only the graph of this name.
            recurse: Also search these graphs; names have `|` between levels.
        """
        found = self._inside((self,), recurse=recurse)
        return (pair for pair in found if namespace is None or pair[0] == namespace)

    def get_graph(self, config: Optional[RunnableConfig] = None, *, xray: Union[bool, int] = False) -> Graph:
        """Return the nodes and edges for drawing (`draw_mermaid()`, `draw_ascii()`) or inspection.

        Args:
            config: Not used; the structure of a graph does not depend on it.
            xray: Expand nodes that are graphs or call one: `True` at every depth, a number down to that depth.
        """
        return self._drawn(xray, (self,))

    def _inside(self, parents: Tuple[GraphBase, ...], *, recurse: bool) -> Iterator[Tuple[str, GraphBase]]:
        """Yield the graphs in nodes, except the graphs in `parents`, because a graph may call itself."""
        for name, target in self._targets.items():
            inner = graph_in(target)
            if inner is None or any(inner._plan is graph._plan for graph in parents):
                continue
            yield name, inner
            if recurse and isinstance(inner, CompiledStateGraph):
                for deeper, graph in inner._inside((*parents, inner), recurse=True):
                    yield f"{name}|{deeper}", graph

    def _drawn(self, xray: Union[bool, int], parents: Tuple[GraphBase, ...]) -> Graph:
        inner = {
            name: graph._drawn(below(xray), (*parents, graph))
            for name, graph in (self._inside(parents, recurse=False) if xray else ())
            if isinstance(graph, CompiledStateGraph)
        }
        return drawable(self._plan, self._specs, inner)
