"""State keys that are computed for each step instead of stored.

A key of the state annotated with one of these has the value for the current step::

    class State(TypedDict):
        remaining_steps: RemainingSteps
"""

from __future__ import annotations

from streamgraph.managed.base import ManagedValue
from streamgraph.managed.is_last_step import IsLastStep, RemainingSteps

__all__ = ["IsLastStep", "ManagedValue", "RemainingSteps"]
