"""Type variables for classes and functions that are generic like a graph.

They have the defaults that LangGraph's have, so that a user's class may leave parameters out::

    class Middleware(Generic[StateT, ContextT]):
        def before(self, state: StateT, runtime: Runtime[ContextT]) -> StateT: ...

    class Logging(Middleware[State]):  # the context is None
        ...
"""

from __future__ import annotations

from dataclasses import Field
from typing import Any, ClassVar, Dict, FrozenSet, Union

from pydantic import BaseModel
from typing_extensions import Protocol, TypeVar

__all__ = [
    "ContextT",
    "ContextT_contra",
    "InputT",
    "NodeInputT",
    "NodeInputT_contra",
    "OutputT",
    "StateLike",
    "StateT",
    "StateT_co",
    "StateT_contra",
]


class _TypedDictClass(Protocol):
    """A TypedDict, as mypy sees it."""

    __required_keys__: ClassVar[FrozenSet[str]]
    __optional_keys__: ClassVar[FrozenSet[str]]


class _TypedDictObject(Protocol):
    """A TypedDict, as pyright sees it."""

    __required_keys__: FrozenSet[str]
    __optional_keys__: FrozenSet[str]


class _Dataclass(Protocol):
    """A dataclass."""

    __dataclass_fields__: ClassVar[Dict[str, Field[Any]]]


StateLike = Union[_TypedDictClass, _TypedDictObject, _Dataclass, BaseModel]
"""What a state, an input, an output or a context is an instance of: a TypedDict, a dataclass or a pydantic model."""

StateT = TypeVar("StateT", bound=StateLike)
"""The state of a graph."""

StateT_co = TypeVar("StateT_co", bound=StateLike, covariant=True)
"""The state of a graph, where it is only returned."""

StateT_contra = TypeVar("StateT_contra", bound=StateLike, contravariant=True)
"""The state of a graph, where it is only taken."""

ContextT = TypeVar("ContextT", bound=Union[StateLike, None], default=None)
"""The object passed to a run as `context=`; `None` by default."""

ContextT_contra = TypeVar("ContextT_contra", bound=Union[StateLike, None], contravariant=True, default=None)
"""The object passed to a run as `context=`, where it is only taken; `None` by default."""

InputT = TypeVar("InputT", bound=StateLike, default=StateT)
"""The input of a graph; the state by default."""

OutputT = TypeVar("OutputT", bound=StateLike, default=StateT)
"""The output of a graph; the state by default."""

NodeInputT = TypeVar("NodeInputT", bound=StateLike)
"""The input of a node."""

NodeInputT_contra = TypeVar("NodeInputT_contra", bound=StateLike, contravariant=True)
"""The input of a node, where it is only taken."""
