"""Types of nodes, at the place where applications import them from LangGraph's private module.

Like `streamgraph._internal`, this module is for those imports only; new code annotates a node as
`Callable[[State], object]` or takes `streamgraph.utils.runnable.RunnableLike`. Each name says who needs it.
"""

from __future__ import annotations

from typing import Any, Union

from langchain_core.runnables import Runnable, RunnableConfig
from typing_extensions import Protocol

from streamgraph.graph._specs import NodeSpec as StateNodeSpec
from streamgraph.runtime import Runtime
from streamgraph.types import StreamWriter
from streamgraph.typing import ContextT, NodeInputT, NodeInputT_contra

__all__ = [
    "StateNode",  # applications that annotate lists of nodes, mostly for type checkers only
    "StateNodeSpec",  # libraries that replace nodes of a builder
    "_Node",  # applications that annotate a node
    "_NodeWithConfig",  # the same
    "_NodeWithRuntime",  # the same
    "_NodeWithStore",  # the same
    "_NodeWithWriter",  # the same
]


class _Node(Protocol[NodeInputT_contra]):
    """A node that takes the state."""

    def __call__(self, state: NodeInputT_contra) -> Any: ...


class _NodeWithConfig(Protocol[NodeInputT_contra]):
    """A node that takes the state and the config."""

    def __call__(self, state: NodeInputT_contra, config: RunnableConfig) -> Any: ...


class _NodeWithWriter(Protocol[NodeInputT_contra]):
    """A node that takes the state and the stream writer."""

    def __call__(self, state: NodeInputT_contra, *, writer: StreamWriter) -> Any: ...


class _NodeWithStore(Protocol[NodeInputT_contra]):
    """A node that takes the state and the store."""

    def __call__(self, state: NodeInputT_contra, *, store: Any) -> Any: ...


class _NodeWithRuntime(Protocol[NodeInputT_contra, ContextT]):
    """A node that takes the state and the runtime."""

    def __call__(self, state: NodeInputT_contra, *, runtime: Runtime[ContextT]) -> Any: ...


StateNode = Union[
    _Node[NodeInputT],
    _NodeWithConfig[NodeInputT],
    _NodeWithWriter[NodeInputT],
    _NodeWithStore[NodeInputT],
    _NodeWithRuntime[NodeInputT, ContextT],
    Runnable[NodeInputT, Any],
]
"""A node, by its parameters: `StateNode[State, Context]`."""
