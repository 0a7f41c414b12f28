"""State keys that are computed for each step instead of stored.

Annotate a key of the state with one of these and a node sees the value of its step::

    class State(TypedDict):
        remaining_steps: RemainingSteps
"""

from __future__ import annotations

from typing import Callable

from typing_extensions import Annotated

__all__ = ["IsLastStep", "ManagedValue", "RemainingSteps"]


class ManagedValue:
    """Marks a state key whose value is computed.

    Args:
        compute: Makes the value of the superstep and the recursion limit.
    """

    def __init__(self, compute: Callable[[int, int], object]) -> None:
        self.compute = compute


def _is_last_step(step: int, limit: int) -> bool:
    return step >= limit - 1


def _remaining_steps(step: int, limit: int) -> int:
    return limit - step


IsLastStep = Annotated[bool, ManagedValue(_is_last_step)]
"""Whether it is time to come to an end: one more step is left in reserve, as in LangGraph."""

RemainingSteps = Annotated[int, ManagedValue(_remaining_steps)]
"""How many supersteps the recursion limit leaves after this one."""
