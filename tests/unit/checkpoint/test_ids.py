"""Ids of tasks in saved runs are those that LangGraph computes."""

from __future__ import annotations

import operator
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import task
from langgraph.graph import START, StateGraph
from langgraph.types import Send
from typing_extensions import Annotated, TypedDict

from streamgraph._checkpoint.ids import RecordIds, path_text, question_id


class Written(NamedTuple):
    """One call of `put_writes`."""

    ns: str
    checkpoint: str
    task: str
    path: str


class RecordingSaver(InMemorySaver):
    """A saver that remembers the tasks whose writes it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.written: List[Written] = []

    def put_writes(self, config: Any, writes: Sequence[Any], task_id: str, task_path: str = "") -> None:
        where = config["configurable"]
        self.written.append(Written(where["checkpoint_ns"], where["checkpoint_id"], task_id, task_path))
        super().put_writes(config, writes, task_id, task_path)


class State(TypedDict):
    items: Annotated[List[int], operator.add]


@task
def double(number: int) -> int:
    return number * 2


def _run() -> List[Written]:
    inner = StateGraph(State).add_node("inner", lambda state: {"items": [9]}).add_edge(START, "inner").compile()
    graph = StateGraph(State)
    graph.add_node("calls", lambda state: {"items": [double(1).result(), double(2).result()]})
    graph.add_node("sent", lambda state: {"items": []})
    graph.add_node("graph", inner)
    graph.add_node("beside", lambda state: {})
    graph.add_node("joined", lambda state: {})
    graph.add_edge(START, "calls")
    graph.add_conditional_edges(
        "calls", lambda state: [Send("sent", {}), Send("sent", {}), "graph", "beside"], ["sent", "graph", "beside"]
    )
    graph.add_edge(["graph", "beside"], "joined")
    saver = RecordingSaver()
    graph.compile(checkpointer=saver).invoke({"items": [0]}, {"configurable": {"thread_id": "1"}}, durability="sync")
    return saver.written


@pytest.fixture(scope="module")
def tasks() -> Dict[Tuple[str, str], Written]:
    """The tasks that LangGraph has run, by namespace without ids and path."""
    return {(written.ns.split(":")[0], written.path): written for written in _run()}


def test_by_edge(tasks: Dict[Tuple[str, str], Written]) -> None:
    calls = tasks["", path_text(("__pregel_pull", "calls"))]
    assert RecordIds(calls.checkpoint, ()).by_edge(1, "calls", ("branch:to:calls",)) == calls.task


def test_by_join(tasks: Dict[Tuple[str, str], Written]) -> None:
    joined = tasks["", path_text(("__pregel_pull", "joined"))]
    triggers = ("branch:to:joined", "join:graph+beside:joined")
    assert RecordIds(joined.checkpoint, ()).by_edge(3, "joined", triggers) == joined.task


@pytest.mark.parametrize("index", [0, 1])
def test_by_send(tasks: Dict[Tuple[str, str], Written], index: int) -> None:
    sent = tasks["", path_text(("__pregel_push", index, False))]
    assert RecordIds(sent.checkpoint, ()).by_send(2, "sent", index) == sent.task


@pytest.mark.parametrize("number", [0, 1])
def test_by_call(tasks: Dict[Tuple[str, str], Written], number: int) -> None:
    caller = tasks["", path_text(("__pregel_pull", "calls"))]
    called = tasks["", path_text(("__pregel_push", ("__pregel_pull", "calls"), number, True))]
    ids = RecordIds(called.checkpoint, ())
    assert ids.by_call(1, (f"calls:{caller.task}",), "~__pregel_pull, calls", "double", number) == called.task


def test_in_a_nested_graph(tasks: Dict[Tuple[str, str], Written]) -> None:
    inner = tasks["graph", path_text(("__pregel_pull", "inner"))]
    assert RecordIds(inner.checkpoint, (inner.ns,)).by_edge(1, "inner", ("branch:to:inner",)) == inner.task


def test_old_checkpoints_use_another_hash() -> None:
    new, old = (RecordIds("1f1ea64a-5e81-6f3c-bfff-c9a2632e5298", (), version) for version in (4, 1))
    assert new.by_edge(1, "a", ()) != old.by_edge(1, "a", ())


def test_later_questions_have_other_ids() -> None:
    assert len({question_id(("a:1",)), question_id(("a:1",), 1), question_id(("b:1",))}) == 3
