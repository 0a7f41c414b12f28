"""Several tool calls of one task: what tells them apart, and what each of them counts."""

from __future__ import annotations

from contextvars import copy_context

from streamgraph._langchain.side_calls import SideCall, keys_of, side_call


def test_calls_are_told_apart_by_their_ids_if_these_differ() -> None:
    assert keys_of(["a", "b"], 0) == ["a", "b"]
    assert keys_of(["a", "b"], 2) == ["a@2", "b@2"]
    keys = keys_of(["a", "a", "", None, "b"], 0)
    assert keys[-1] == "b"
    assert len(set(keys)) == 5


def test_numbers_are_those_of_calls_one_after_the_other() -> None:
    """One graph in each call: the numbers are consecutive, as if they had come in order; further ones follow."""
    calls = [SideCall(None, str(position), position, 3, graphs=4, tasks=0) for position in range(3)]
    assert [call.number("graphs") for call in calls[::-1]] == [6, 5, 4]
    assert [call.number("graphs") for call in calls] == [7, 8, 9]
    assert [call.number("tasks") for call in calls] == [0, 1, 2]


def test_a_call_is_that_of_its_task_only() -> None:
    """Code in a graph or `@task` inside the call belongs to the task in there."""
    owner, inner = object(), object()
    call = SideCall(owner, "a", 0, 2, graphs=0, tasks=0)
    context = copy_context()
    context.run(call.enter)
    assert context.run(side_call, owner) is call
    assert context.run(side_call, inner) is None
    assert side_call(owner) is None
