"""State keys that are computed for each step instead of stored.

A key of the state annotated with one of these has the value for the current step::

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
        compute: Returns the value for `(superstep, recursion limit)`.
    """

    def __init__(self, compute: Callable[[int, int], object]) -> None:
        self.compute = compute


def _is_last_step(step: int, limit: int) -> bool:
    return step >= limit - 1


def _remaining_steps(step: int, limit: int) -> int:
    return limit - step


IsLastStep = Annotated[bool, ManagedValue(_is_last_step)]
"""True if the recursion limit leaves at most one more step, which is kept in reserve, as in LangGraph."""

RemainingSteps = Annotated[int, ManagedValue(_remaining_steps)]
"""Number of supersteps that the recursion limit leaves after this one."""
