"""A run of a graph in this process, as the terminal reads it."""

from __future__ import annotations

from typing import Any, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.terminal._local import LocalRun
from streamgraph.types import interrupt

MODES: Any = ["tasks", "values"]
CONFIG: Any = {"configurable": {"thread_id": "t"}}


def of(node: Any, **options: Any) -> Any:
    retry = options.pop("retry", None)
    builder = StateGraph(MessagesState).add_node("node", node, retry_policy=retry)
    return builder.add_edge(START, "node").compile(**options)


def run_of(graph: Any, given: Any = None, config: Any = None) -> LocalRun:
    return LocalRun(graph, given or {"messages": "?"}, config or {}, modes=MODES, filters={}, again="again")


def kinds(run: LocalRun) -> List[str]:
    return [chunk["type"] for chunk in run.chunks() if chunk["type"] != "heartbeat"]  # type: ignore[index]


def test_a_run_and_a_failed_one() -> None:
    run = run_of(of(lambda state: {}))
    assert (kinds(run), run.ending, run.error) == (["values", "tasks", "tasks"], "done", None)

    def fail(state: Any) -> Any:
        raise ValueError("no")

    run = run_of(of(fail))
    assert kinds(run)[-1] == "error"
    assert (run.ending, str(run.error)[:2]) == ("failed", "no")


def test_a_question_is_answered_where_it_stands() -> None:
    run = run_of(of(lambda state: {"messages": [("ai", interrupt("May I?"))]}))
    seen = []
    for chunk in run.chunks():
        if chunk["type"] == "heartbeat" and run.open_questions():  # type: ignore[index]
            seen += run.open_questions()
            assert not run.answer({seen[-1].id: "yes"})
    assert ([asked.value for asked in seen], run.ending) == (["May I?"], "done")


def test_a_breakpoint_and_cancelling() -> None:
    graph = of(lambda state: {}, interrupt_before=["node"], checkpointer=InMemorySaver())
    run = run_of(graph, config=CONFIG)
    kinds(run)
    assert (run.ending, run.due()) == ("interrupted", ["node"])
    run.go_on()
    kinds(run)
    assert run.ending == "done"
    assert run.how_to_go_on() == "again"

    run = run_of(of(lambda state: {}, interrupt_before=["node"]))
    kinds(run)
    assert (run.ending, run.due()) == ("interrupted", [])  # nothing is kept of it

    run = run_of(of(lambda state: interrupt("wait")))
    run.cancel()
    kinds(run)
    assert run.ending == "cancelled"


def test_what_is_refused_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="include_nodes"):
        LocalRun(of(lambda state: {}), {"messages": "?"}, {}, modes=MODES, filters={"include_nodes": ["nodes"]})
