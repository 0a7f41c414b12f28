"""The compiled graph: a Runnable that runs and streams."""

from __future__ import annotations

from typing import Any, Generic, Iterable, Mapping, Optional, Tuple, Type, Union

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.graph import Graph
from pydantic import BaseModel
from typing_extensions import Literal, Self, TypeVar

from streamgraph._core.plan import Plan
from streamgraph._core.state import Writes
from streamgraph._runnable.base import GraphBase
from streamgraph._runnable.channel_marks import shown_channels
from streamgraph._runnable.inputs import read_input
from streamgraph._runnable.schema import Schema
from streamgraph._runnable.schema_models import model_of, typed_state
from streamgraph._snapshots import Checkpointer
from streamgraph.channels import BaseChannel
from streamgraph.graph._draw import drawable
from streamgraph.graph._specs import NodeSpec
from streamgraph.pregel._draw import Depth
from streamgraph.pregel.main import Pregel
from streamgraph.stream._mux import TransformerFactory

__all__ = ["CompiledStateGraph"]

StateT = TypeVar("StateT", default=Any)
ContextT = TypeVar("ContextT", default=None)
InputT = TypeVar("InputT", default=StateT)
OutputT = TypeVar("OutputT", default=StateT)


class CompiledStateGraph(
    Pregel[StateT, ContextT, Union[InputT, Mapping[str, Any]], OutputT, Literal[True]],
    Generic[StateT, ContextT, InputT, OutputT],
):
    """A graph that is ready to run; created by `StateGraph.compile`.

    As a Runnable it can be invoked, streamed, batched, composed with `|`, bound to a config, and used as a node of
    another graph. It holds no state of a run, so one instance can run many times at once.

    Attributes:
        builder: The `StateGraph` that it was compiled from.
        stream_transformers: The transformers that were given to `compile`.
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
        checkpointer: Checkpointer = None,
        transformers: Tuple[TransformerFactory, ...] = (),
    ) -> None:
        self._set_up(plan, name=name, context_schema=context_schema, store=store, cache=cache, debug=debug)
        self.checkpointer = checkpointer
        self._builder = builder
        self.stream_transformers = transformers
        self._specs = specs
        self._targets = {name: spec.action for name, spec in specs.items()}
        self._input, self._output = schemas

    @property
    def builder(self) -> Any:
        """The builder that the graph was compiled from."""
        return self._builder

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, nodes={list(self._plan.nodes)})"

    @property
    def _hints(self) -> Iterable[Any]:
        return tuple(self._builder._schemas)

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
    def InputType(self) -> Any:  # noqa: N802  (langchain-core's name)
        """The schema of the input."""
        return self._input.source

    @property
    def OutputType(self) -> Any:  # noqa: N802  (langchain-core's name)
        """The schema of the output."""
        return self._output.source

    def validate(self) -> Self:
        """Check the builder of the graph, which was checked when it was compiled.

        Returns:
            The graph.

        Raises:
            GraphBuildError: See `StateGraph.validate`.
        """
        self.builder.validate()
        return self

    def _drawn(self, xray: Depth, parents: Tuple[GraphBase, ...]) -> Graph:
        return drawable(self._plan, self._specs, self._drawn_inside(xray, parents))
