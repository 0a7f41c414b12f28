"""Values for nodes that have to end before the recursion limit is reached."""

from __future__ import annotations

from typing_extensions import Annotated

from streamgraph.managed.base import ManagedValue, StepInfo

__all__ = ["IsLastStep", "IsLastStepManager", "RemainingSteps", "RemainingStepsManager"]


class IsLastStepManager(ManagedValue[bool]):
    """Computes `IsLastStep`."""

    @staticmethod
    def get(scratchpad: StepInfo) -> bool:
        """Return True if the recursion limit leaves at most one more step.

        Args:
            scratchpad: The step.
        """
        return scratchpad.step >= scratchpad.stop - 1


class RemainingStepsManager(ManagedValue[int]):
    """Computes `RemainingSteps`."""

    @staticmethod
    def get(scratchpad: StepInfo) -> int:
        """Return the number of supersteps that the recursion limit leaves after this one.

        Args:
            scratchpad: The step.
        """
        return scratchpad.stop - scratchpad.step


IsLastStep = Annotated[bool, IsLastStepManager]
"""True if the recursion limit leaves at most one more step, which is kept in reserve, as in LangGraph."""

RemainingSteps = Annotated[int, RemainingStepsManager]
"""Number of supersteps that the recursion limit leaves after this one."""
