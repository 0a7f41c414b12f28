"""What computes the value of a state key for each step, instead of storing it.

A class of the user's own is made like this::

    class StepsDone(ManagedValue[int]):
        @staticmethod
        def get(scratchpad: StepInfo) -> int:
            return scratchpad.step - 1

    class State(TypedDict):
        steps_done: Annotated[int, StepsDone]
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Dict, Generic, NamedTuple, Type, TypeVar

from typing_extensions import TypeGuard

__all__ = ["ManagedValue", "ManagedValueMapping", "ManagedValueSpec", "StepInfo", "is_managed_value"]

V = TypeVar("V")

_PEER = "langgraph.managed.base"


class StepInfo(NamedTuple):
    """What is known of the step that a value is computed for.

    Attributes:
        step: The number of the superstep, counted from 1.
        stop: The number of the superstep that the recursion limit does not allow any more, minus one in reserve.
    """

    step: int
    stop: int


class ManagedValue(ABC, Generic[V]):
    """Base class of what computes the value of a state key; a key is annotated with the class itself."""

    @staticmethod
    @abstractmethod
    def get(scratchpad: StepInfo) -> V:
        """Return the value for a step.

        Args:
            scratchpad: The step.
        """


ManagedValueSpec = Type[ManagedValue[object]]
"""A class that computes a value."""

ManagedValueMapping = Dict[str, ManagedValueSpec]
"""State keys, each with the class that computes its value."""


def is_managed_value(value: object) -> TypeGuard[ManagedValueSpec]:
    """Return whether a mark in an annotation is a class that computes the key's value, of this package or LangGraph.

    Args:
        value: The mark.
    """
    if not inspect.isclass(value):
        return False
    return any(
        base is ManagedValue or (base.__module__, base.__name__) == (_PEER, "ManagedValue") for base in value.__mro__
    )
