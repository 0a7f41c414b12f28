"""Values that are computed for each step: those of the package, and a user's own."""

from __future__ import annotations

import pytest
from typing_extensions import Annotated, TypedDict

from streamgraph import START, StateGraph
from streamgraph.managed import IsLastStep, ManagedValue, RemainingSteps
from streamgraph.managed.base import StepInfo, is_managed_value
from streamgraph.managed.is_last_step import IsLastStepManager, RemainingStepsManager


class StepsDone(ManagedValue[int]):
    """The steps before this one."""

    @staticmethod
    def get(scratchpad):
        """Count them."""
        return scratchpad.step - 1


class State(TypedDict, total=False):
    """A state with every kind of managed value."""

    x: int
    done: Annotated[int, StepsDone]
    left: RemainingSteps
    last: IsLastStep


def test_values_of_each_step():
    """Each node sees those of its step; none of them is stored."""
    seen = []

    def node(state):
        seen.append((state["done"], state["left"], state["last"]))

    builder = StateGraph(State).add_node("a", node).add_node("b", node).add_node("c", node)
    graph = builder.add_edge(START, "a").add_edge("a", "b").add_edge("b", "c").compile()
    assert graph.invoke({"x": 1}, {"recursion_limit": 4}) == {"x": 1}
    assert seen == [(0, 3, False), (1, 2, False), (2, 1, True)]
    assert set(builder.managed) == {"done", "left", "last"}


@pytest.mark.parametrize(("step", "left", "last"), [(1, 4, False), (3, 2, False), (4, 1, True), (5, 0, True)])
def test_formulas(step, left, last):
    """The last step is one with another in reserve."""
    info = StepInfo(step, 5)
    assert RemainingStepsManager.get(info) == left
    assert IsLastStepManager.get(info) is last


def test_what_is_one():
    """A class that derives from the base, of this package or of LangGraph."""
    theirs = type("ManagedValue", (), {"__module__": "langgraph.managed.base"})
    assert is_managed_value(StepsDone)
    assert is_managed_value(type("Sub", (theirs,), {}))
    assert not is_managed_value(StepsDone())
    assert not is_managed_value(int)
    assert not is_managed_value(type("ManagedValue", (), {}))
